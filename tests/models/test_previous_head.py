"""A previous head on this run's backbone: shared module for module; one of another form is refused."""

import json

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from tests import tiny
from tunebook.errors import ModelError
from tunebook.models.load import load_model
from tunebook.models.previous_head import differences, under_previous_head

AUTO = "AutoModelForSequenceClassification"


def finished(folder, family="bert", labels=("up", "down"), seed=0, **changes):
    """A model with a head, as a finished run leaves it."""
    tiny.tiny_model(family, folder, seed)
    if changes:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **changes}))
    torch.manual_seed(seed)
    names = dict(enumerate(labels))
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, id2label=names, label2id={name: at for at, name in names.items()}, ignore_mismatched_sizes=True
    )
    model.save_pretrained(folder)
    return model.eval()


def put(model, folder, labels=("up", "down")):
    return under_previous_head(model, folder, AUTO, list(labels), "single_label_classification", "evaluation.retention")


def batch():
    return {"input_ids": torch.arange(5, 19).view(2, 7), "attention_mask": torch.ones(2, 7).long()}


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "modernbert", "gpt2"])
def test_the_head_is_the_previous_one_and_the_backbone_this_runs(tmp_path, family):
    previous = finished(tmp_path / "previous", family)
    ours = finished(tmp_path / "ours", family, labels=("x", "y", "z"), seed=1)
    joined = put(ours, tmp_path / "previous")
    assert joined.base_model is ours.base_model
    assert not any(parameter.requires_grad for name, parameter in joined.named_parameters()
                   if not name.startswith(joined.base_model_prefix))  # fmt: skip
    assert all(parameter.requires_grad for parameter in ours.parameters())
    joined.eval()
    with torch.no_grad():
        other = joined(**batch())["logits"]
        ours.base_model.load_state_dict(previous.base_model.state_dict())
        same = joined(**batch())["logits"]
        assert same.equal(previous(**batch())["logits"]), "on its own backbone it answers as it did"
    assert other.shape == (2, 2)
    assert not other.allclose(same, atol=1e-4)


def test_gradients_reach_the_backbone_and_not_the_head(tmp_path):
    finished(tmp_path / "previous")
    ours = finished(tmp_path / "ours", seed=1).train()
    joined = put(ours, tmp_path / "previous")
    joined(**batch())["logits"].sum().backward()
    assert ours.bert.embeddings.word_embeddings.weight.grad.abs().sum() > 0
    assert joined.classifier.weight.grad is None
    assert ours.classifier.weight.grad is None


def test_the_previous_head_keeps_its_dropout_off_while_the_backbone_trains(tmp_path):
    finished(tmp_path / "previous")
    ours = finished(tmp_path / "ours", seed=1).train()
    joined = put(ours, tmp_path / "previous")
    assert ours.bert.encoder.training
    assert not joined.dropout.training


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_hidden_layers": 3}, "this run's alone has encoder.layer.3"),
        ({"num_hidden_layers": 5}, "it alone has encoder.layer.4"),
        ({"intermediate_size": 24}, r"is \(24,\), here \(48,\)"),
    ],
)
def test_a_backbone_of_another_form_is_refused(tmp_path, changes, said):
    finished(tmp_path / "previous", **changes)
    ours = finished(tmp_path / "ours")
    with pytest.raises(ModelError, match=f"evaluation.retention.*{said}.*model=auto model.name_or_path="):
        put(ours, tmp_path / "previous")


@pytest.mark.parametrize("pooler", [True, False], ids=["the previous run had it", "this run has it"])
def test_a_pooler_that_only_one_of_them_has_is_no_difference(tmp_path, pooler):
    """The previous head's own pooler stays with it, frozen; one that it never had is left aside."""
    plain = tiny.tiny_model("bert", tmp_path / "plain")
    said = {"with": {}, "without": {"pooling": "mean"}}
    for name, settings in said.items():
        wanted = tiny.model_config(name_or_path=plain, **settings)
        loaded = load_model(wanted, AUTO, ["up", "down"], "single_label_classification", seed=3)
        loaded.model.save_pretrained(tmp_path / name)
        said[name] = loaded.model.eval()
    previous, ours = ("with", "without") if pooler else ("without", "with")
    joined = put(said[ours], tmp_path / previous).eval()
    with torch.no_grad():
        assert joined(**batch())["logits"].equal(said[previous](**batch())["logits"])
        said[ours].base_model.embeddings.word_embeddings.weight.add_(0.1)
        assert not joined(**batch())["logits"].equal(said[previous](**batch())["logits"]), "the backbone is shared"
    trained = [name for name, parameter in joined.named_parameters() if parameter.requires_grad]
    assert trained
    assert not any(name.startswith("classifier") or ("pooler" in name and pooler) for name in trained)


def test_an_adapter_alone_is_refused(tmp_path):
    finished(tmp_path / "previous")
    (tmp_path / "previous" / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match="holds an adapter alone; run it with adapter.save=both"):
        put(finished(tmp_path / "ours"), tmp_path / "previous")


def test_another_architecture_is_refused(tmp_path):
    finished(tmp_path / "previous", "distilbert")
    with pytest.raises(ModelError, match="a DistilBertModel, here BertModel"):
        put(finished(tmp_path / "ours"), tmp_path / "previous")


def test_a_model_without_a_head_is_refused(tmp_path):
    tiny.tiny_model("bert", tmp_path / "previous")
    with pytest.raises(ModelError, match="lacks parts of its head: classifier.weight, classifier.bias"):
        put(finished(tmp_path / "ours"), tmp_path / "previous")


def test_a_folder_without_weights_is_told_under_the_key(tmp_path):
    finished(tmp_path / "previous")
    (tmp_path / "previous" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="evaluation.retention +its model cannot be used: cannot read the weights"):
        put(finished(tmp_path / "ours"), tmp_path / "previous")


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_an_adapter_in_the_layers_is_no_difference(tmp_path):
    import peft

    previous = finished(tmp_path / "previous")
    ours = finished(tmp_path / "ours", seed=1)
    targets = {"target_modules": ["query", "value"], "modules_to_save": ["classifier"]}
    peft.get_peft_model(ours, peft.LoraConfig(**targets, init_lora_weights=False))
    assert differences(previous.base_model, ours.base_model) == ""
    joined = put(ours, tmp_path / "previous")
    joined(**batch())["logits"].sum().backward()
    added = [parameter.grad for name, parameter in ours.named_parameters() if "lora_" in name]
    assert len(added) == 4 * tiny.LAYERS
    assert all(gradient.abs().sum() > 0 for gradient in added)
