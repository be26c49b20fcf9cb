"""R-Drop: the divergence is torch's, the loss is the paper's, and a row is judged alike in every batch."""

import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForImageClassification, AutoModelForSequenceClassification

from tests import tiny, two_tasks
from tests.training.test_gradients import without_dropout
from tunebook.data.labels.single_label import SingleLabel
from tunebook.data.sampling.base import TrainTargets
from tunebook.errors import ModelError
from tunebook.tasks._multi_label import MultiLabelOutput
from tunebook.tasks._regression import RegressionOutput
from tunebook.tasks._single_label import SingleLabelOutput
from tunebook.training.losses import cross_entropy
from tunebook.training.regularization import r_drop
from tunebook.training.regularization.base import MethodContext
from tunebook.training.trainer import RecipeTrainer


def never(folder):
    raise AssertionError("no previous run is needed")


def pair(labels):
    torch.manual_seed(0)
    return torch.randn(5, labels), torch.randn(5, labels)


def test_of_classes_it_is_half_the_sum_of_both_divergences():
    first, second = pair(4)
    logs = first.log_softmax(-1), second.log_softmax(-1)
    both = [functional.kl_div(logs[at], logs[1 - at], reduction="none", log_target=True).sum(-1) for at in (0, 1)]
    found = SingleLabelOutput().divergence(first, second)
    assert found.allclose((both[0] + both[1]) / 2, atol=1e-6)
    assert found.min() > 0


def test_of_several_labels_it_is_each_labels_own():
    first, second = pair(3)
    chances = [torch.distributions.Bernoulli(logits=logits) for logits in (first, second)]
    both = [torch.distributions.kl_divergence(chances[at], chances[1 - at]).mean(-1) for at in (0, 1)]
    assert MultiLabelOutput().divergence(first, second).allclose((both[0] + both[1]) / 2, atol=1e-6)


def test_of_numbers_it_is_the_squared_difference():
    first, second = pair(1)
    found = RegressionOutput().divergence(first, second)
    assert found.shape == (5,)
    assert found.allclose((first[:, 0] - second[:, 0]) ** 2)


@pytest.fixture
def model(tmp_path):
    tiny.tiny_text_model("bert", tmp_path)
    return AutoModelForSequenceClassification.from_pretrained(tmp_path, num_labels=3)


def test_both_passes_are_judged_and_each_row_by_itself(model):
    judged = r_drop.start(r_drop.Options(alpha=0.7), MethodContext(model, SingleLabelOutput(), 0, never)).two_pass
    labels = torch.tensor([0, 2, 1, 1, 0])
    loss = cross_entropy.Loss(
        cross_entropy.Options(), TrainTargets(SingleLabel(), ("a", "b", "c"), labels.numpy()), 0.0
    )
    first, second = pair(3)
    found = judged(loss, torch.cat([first, second]), labels)
    expected = (loss(first, labels) + loss(second, labels)) / 2 + 0.7 * SingleLabelOutput().divergence(first, second)
    assert found.equal(expected)
    apart = [judged(loss, torch.cat([first[at], second[at]]), labels[at]) for at in (slice(0, 2), slice(2, 5))]
    assert torch.cat(apart).allclose(found, atol=1e-6)


def test_a_model_without_dropout_is_refused(tmp_path):
    tiny.tiny_model("resnet", tmp_path / "resnet")
    tiny.tiny_text_model("bert", tmp_path / "bert")
    still = AutoModelForSequenceClassification.from_pretrained(without_dropout(tmp_path / "bert"))
    for model in (AutoModelForImageClassification.from_pretrained(tmp_path / "resnet"), still):
        with pytest.raises(ModelError, match="has no dropout here.*regularization.r_drop=null"):
            r_drop.start(r_drop.Options(), MethodContext(model, SingleLabelOutput(), 0, never))


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "modernbert", "vit", "gpt2"])
def test_dropout_in_what_is_frozen_does_not_count(tmp_path, family):
    kind = AutoModelForImageClassification if family == "vit" else AutoModelForSequenceClassification
    shares = {"classifier_dropout": 0.0, "seq_classif_dropout": 0.0, "summary_first_dropout": 0.0}
    model = kind.from_pretrained(tiny.tiny_model(family, tmp_path / family))
    for name, share in shares.items():
        setattr(model.config, name, share)
    model = kind.from_config(model.config)
    settings = model.config.to_dict().items()
    shares = [name for name, value in settings if "drop" in name and isinstance(value, float) and value > 0]
    assert r_drop.has_dropout(model) == bool(shares)
    backbone = {id(parameter) for parameter in model.base_model.parameters()}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) not in backbone)
    assert not r_drop.has_dropout(model)


def test_a_training_batch_goes_through_twice_and_an_evaluated_one_once(first, tmp_path, monkeypatch):
    seen = []

    def watched(method):
        def watch(self, model, inputs, *others, **named):
            rows, training = len(inputs["row"]), model.training
            handle = self.plain_model.register_forward_hook(
                lambda module, given, output: seen.append((training, rows, len(output["logits"])))
            )
            try:
                return method(self, model, inputs, *others, **named)
            finally:
                handle.remove()

        return watch

    for name in ("compute_loss", "prediction_step"):
        monkeypatch.setattr(RecipeTrainer, name, watched(getattr(RecipeTrainer, name)))
    two_tasks.go(*two_tasks.second(tmp_path, first.model, "regularization=r_drop", f"run.output_dir={tmp_path}"))
    assert {(training, passed / rows) for training, rows, passed in seen} == {(True, 2.0), (False, 1.0)}


def test_it_goes_with_weights_mixed_rows_and_several_labels(first, tmp_path):
    said = two_tasks.second(tmp_path, first.model, "regularization=r_drop", f"run.output_dir={tmp_path}")
    for further in (["augmentation=text_mixup"], ["loss=weighted"]):
        result = two_tasks.go(*said, "hyperparameters.max_steps=2", *further)
        assert result.metrics["validation"]["loss"] > 0
