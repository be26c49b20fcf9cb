"""An older head on this run's trunk: the trunk is shared module for module, and of the same form, or it is refused."""

import json

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from tests import tiny
from tunebook.errors import ModelError
from tunebook.modeling.load import load_model
from tunebook.modeling.older import differences, under_older_head

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
    return under_older_head(model, folder, AUTO, list(labels), "single_label_classification", "evaluation.keep")


def batch():
    return {"input_ids": torch.arange(5, 19).view(2, 7), "attention_mask": torch.ones(2, 7).long()}


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "modernbert", "gpt2"])
def test_the_head_is_the_older_one_and_the_trunk_this_runs(tmp_path, family):
    older = finished(tmp_path / "older", family)
    ours = finished(tmp_path / "ours", family, labels=("x", "y", "z"), seed=1)
    joined = put(ours, tmp_path / "older")
    assert joined.base_model is ours.base_model
    assert not any(parameter.requires_grad for name, parameter in joined.named_parameters()
                   if not name.startswith(joined.base_model_prefix))  # fmt: skip
    assert all(parameter.requires_grad for parameter in ours.parameters())
    joined.eval()
    with torch.no_grad():
        other = joined(**batch())["logits"]
        ours.base_model.load_state_dict(older.base_model.state_dict())
        same = joined(**batch())["logits"]
        assert same.equal(older(**batch())["logits"]), "on its own trunk it answers as it did"
    assert other.shape == (2, 2)
    assert not other.allclose(same, atol=1e-4)


def test_gradients_reach_the_trunk_and_not_the_head(tmp_path):
    finished(tmp_path / "older")
    ours = finished(tmp_path / "ours", seed=1).train()
    joined = put(ours, tmp_path / "older")
    joined(**batch())["logits"].sum().backward()
    assert ours.bert.embeddings.word_embeddings.weight.grad.abs().sum() > 0
    assert joined.classifier.weight.grad is None
    assert ours.classifier.weight.grad is None


def test_the_older_head_keeps_its_dropout_off_while_the_trunk_trains(tmp_path):
    finished(tmp_path / "older")
    ours = finished(tmp_path / "ours", seed=1).train()
    joined = put(ours, tmp_path / "older")
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
def test_a_trunk_of_another_form_is_refused(tmp_path, changes, said):
    finished(tmp_path / "older", **changes)
    ours = finished(tmp_path / "ours")
    with pytest.raises(ModelError, match=f"evaluation.keep.*{said}.*model=auto model.name_or_path="):
        put(ours, tmp_path / "older")


@pytest.mark.parametrize("pooler", [True, False], ids=["the older run had it", "this run has it"])
def test_a_pooler_that_only_one_of_them_has_is_no_difference(tmp_path, pooler):
    """The older head's own pooler stays with it, frozen; one that it never had is left aside."""
    plain = tiny.tiny_model("bert", tmp_path / "plain")
    said = {"with": {}, "without": {"pooling": "mean"}}
    for name, settings in said.items():
        wanted = tiny.model_config(name_or_path=plain, **settings)
        loaded = load_model(wanted, AUTO, ["up", "down"], "single_label_classification", seed=3)
        loaded.model.save_pretrained(tmp_path / name)
        said[name] = loaded.model.eval()
    older, ours = ("with", "without") if pooler else ("without", "with")
    joined = put(said[ours], tmp_path / older).eval()
    with torch.no_grad():
        assert joined(**batch())["logits"].equal(said[older](**batch())["logits"])
        said[ours].base_model.embeddings.word_embeddings.weight.add_(0.1)
        assert not joined(**batch())["logits"].equal(said[older](**batch())["logits"]), "the trunk is shared"
    trained = [name for name, parameter in joined.named_parameters() if parameter.requires_grad]
    assert trained
    assert not any(name.startswith("classifier") or ("pooler" in name and pooler) for name in trained)


def test_an_adapter_alone_is_refused(tmp_path):
    finished(tmp_path / "older")
    (tmp_path / "older" / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match="holds an adapter alone; run it with adapter.save=both"):
        put(finished(tmp_path / "ours"), tmp_path / "older")


def test_another_architecture_is_refused(tmp_path):
    finished(tmp_path / "older", "distilbert")
    with pytest.raises(ModelError, match="a DistilBertModel, here BertModel"):
        put(finished(tmp_path / "ours"), tmp_path / "older")


def test_a_model_without_a_head_is_refused(tmp_path):
    tiny.tiny_model("bert", tmp_path / "older")
    with pytest.raises(ModelError, match="lacks parts of its head: classifier.weight, classifier.bias"):
        put(finished(tmp_path / "ours"), tmp_path / "older")


def test_a_folder_without_weights_is_told_under_the_key(tmp_path):
    finished(tmp_path / "older")
    (tmp_path / "older" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="evaluation.keep +its model cannot be used: cannot read the weights"):
        put(finished(tmp_path / "ours"), tmp_path / "older")


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_an_adapter_in_the_layers_is_no_difference(tmp_path):
    import peft

    older = finished(tmp_path / "older")
    ours = finished(tmp_path / "ours", seed=1)
    targets = {"target_modules": ["query", "value"], "modules_to_save": ["classifier"]}
    peft.get_peft_model(ours, peft.LoraConfig(**targets, init_lora_weights=False))
    assert differences(older.base_model, ours.base_model) == ""
    joined = put(ours, tmp_path / "older")
    joined(**batch())["logits"].sum().backward()
    added = [parameter.grad for name, parameter in ours.named_parameters() if "lora_" in name]
    assert len(added) == 4 * tiny.LAYERS
    assert all(gradient.abs().sum() > 0 for gradient in added)
