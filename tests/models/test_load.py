"""Loading: where files come from, the stated head, seeds, and what a user is told."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from tests.tiny import ALL_FAMILIES, HEADS, LABELS, auto_class, model_config
from tunebook.errors import ModelError, NothingReached
from tunebook.models.load import load_model

TEXT_CLASS = "AutoModelForSequenceClassification"


def load(saved, family="bert", labels=LABELS, seed=1, **settings):
    config = model_config(**{"name_or_path": saved(family), "head": HEADS[family], **settings})
    return load_model(config, auto_class(family), labels, "single_label_classification", seed)


def head_bits(model):
    return torch.cat([p.flatten() for name, p in model.named_parameters() if name.startswith("classifier")])


@pytest.fixture
def tuned(saved, tmp_path):
    """A saved classifier: its head is in the checkpoint."""
    load(saved).model.save_pretrained(tmp_path / "tuned")
    return tmp_path / "tuned"


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_head_is_new_and_stated(family, saved, said):
    loaded = load(saved, family)
    new = {name.split(".")[0] for name in loaded.head_report.new}
    assert new == set(HEADS[family])
    assert "newly initialised" in said()
    assert loaded.head_report.new[0] in said()
    assert loaded.model.config.id2label == dict(enumerate(LABELS))
    assert loaded.model.config.label2id == {"bad": 0, "fair": 1, "good": 2}
    assert loaded.model.config.num_labels == 3
    assert loaded.model.config.problem_type == "single_label_classification"


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_head_may_be_undeclared(family, saved):
    assert load(saved, family, head=None).head_report.new == load(saved, family).head_report.new


def test_seed_decides_the_head_alone(saved):
    first, again, other = (load(saved, seed=seed).model for seed in (1, 1, 2))
    assert torch.equal(head_bits(first), head_bits(again))
    assert not torch.equal(head_bits(first), head_bits(other))
    backbone = first.base_model.state_dict()
    assert all(torch.equal(value, backbone[name]) for name, value in other.base_model.state_dict().items())


def test_seed_does_not_depend_on_what_was_drawn_before(saved):
    first = load(saved).model
    torch.rand(100)
    assert torch.equal(head_bits(first), head_bits(load(saved).model))


def test_wrongly_declared_head_lists_both_sides(saved):
    with pytest.raises(ModelError) as caught:
        load(saved, "distilbert", head=["pre_classifier"])
    assert "newly initialised, but not part of the declared head: classifier" in str(caught.value)
    assert "model.head=[pre_classifier,classifier]" in str(caught.value)


def test_declared_head_that_was_loaded_is_told(saved):
    with pytest.raises(ModelError, match=r"came from the checkpoint: head\.dense\.weight") as caught:
        load(saved, "modernbert", head=["head", "classifier"])
    assert "model.head=[classifier]" in str(caught.value)


def test_declared_module_that_does_not_exist(saved):
    with pytest.raises(ModelError, match="did you mean classifier"):
        load(saved, head=["clasifier"])


def test_new_backbone_parameters_are_refused_unless_declared(saved, tmp_path):
    model = AutoModelForSequenceClassification.from_pretrained(saved("bert"))
    state = {name: value for name, value in model.state_dict().items() if "pooler" not in name}
    model.save_pretrained(tmp_path, state_dict=state)
    with pytest.raises(ModelError, match=r"not part of the head: bert\.pooler"):
        load(saved, name_or_path=tmp_path, head=None)
    loaded = load(saved, name_or_path=tmp_path, head=["bert.pooler", "classifier"], labels=["a", "b", "c"])
    assert "bert.pooler.dense.weight" in loaded.head_report.new


@pytest.mark.parametrize("head", [None, ["classifier"]])
def test_checkpoint_of_another_size_is_refused(head, saved, tmp_path):
    folder = shutil.copytree(saved("bert"), tmp_path / "other")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))
    with pytest.raises(ModelError, match="another architecture or other sizes"):
        load(saved, name_or_path=folder, head=head)


def test_a_runs_folder_is_told_from_its_model(tuned, saved, tmp_path):
    shutil.copytree(tuned, tmp_path / "run" / "model")
    with pytest.raises(ModelError, match=r"run is a run's folder; its model is in .*run/model"):
        load(saved, name_or_path=tmp_path / "run")


def test_checkpoint_of_another_architecture_is_refused(saved, tmp_path):
    folder = shutil.copytree(saved("bert"), tmp_path / "other")
    shutil.copy(saved("distilbert") / "model.safetensors", folder / "model.safetensors")
    with pytest.raises(ModelError, match="another architecture or other sizes"):
        load(saved, name_or_path=folder)


@pytest.mark.parametrize("head", [None, ["classifier"]])
def test_a_loaded_head_is_stated(head, tuned, saved, said):
    loaded = load(saved, name_or_path=tuned, head=head, seed=99)
    assert loaded.head_report.new == ()
    assert loaded.head_report.loaded == ("classifier.weight", "classifier.bias")
    assert torch.equal(head_bits(loaded.model), head_bits(load(saved).model))
    assert "the whole head came from the checkpoint: classifier.weight" in said()
    assert "its labels are" not in said()


def test_a_loaded_head_with_other_label_names_warns(tuned, saved, said):
    load(saved, name_or_path=tuned, labels=["good", "fair", "bad"])
    assert "its labels are bad, fair, good; here they are good, fair, bad" in said()


@pytest.mark.parametrize("family", ["bert", "distilbert", "vit"])
def test_labels_of_another_task_make_new_ones(family, saved, said, tmp_path):
    first = load(saved, family, seed=5).model
    first.save_pretrained(tmp_path / "first")
    shutil.copytree(saved(family), tmp_path / "first", dirs_exist_ok=True, ignore=lambda *_: [
        "config.json", "model.safetensors"])  # fmt: skip
    one, again, other = (
        load(saved, family, name_or_path=tmp_path / "first", head=None, labels=["x", "y", "z"], seed=seed)
        for seed in (1, 1, 2)
    )
    assert one.head_report.new == ("classifier.weight", "classifier.bias")
    assert "the checkpoint's labels are bad, fair, good, none of them is here" in said()
    assert not torch.equal(head_bits(one.model), head_bits(first))
    assert torch.equal(head_bits(one.model), head_bits(again.model))
    assert not torch.equal(head_bits(one.model), head_bits(other.model))
    kept = {name: value for name, value in first.state_dict().items() if not name.startswith("classifier.")}
    now = one.model.state_dict()
    assert all(torch.equal(value, now[name]) for name, value in kept.items()), "DistilBERT's pre_classifier too"
    assert one.model.config.id2label == {0: "x", 1: "y", 2: "z"}


@pytest.mark.parametrize("labels", [["GOOD", "Fair", "BAD"], ["good", "fine", "poor"]])
def test_labels_that_are_partly_the_same_keep_the_head(labels, tuned, saved, said):
    assert load(saved, name_or_path=tuned, labels=labels).head_report.new == ()
    assert "predictions start out wrong (dataset.labels sets an order)" in said()


def test_another_number_of_labels_makes_the_head_new(tuned, saved):
    loaded = load(saved, name_or_path=tuned, labels=["a", "b"])
    assert loaded.head_report.new == ("classifier.weight", "classifier.bias")
    assert loaded.model.classifier.out_features == 2


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("float32", torch.float32), ("auto", torch.bfloat16), ("float16", torch.float16)],
)
def test_weights_are_float32_unless_asked(dtype, expected, tuned, saved, tmp_path):
    half = AutoModelForSequenceClassification.from_pretrained(tuned).to(torch.bfloat16)
    half.save_pretrained(tmp_path / "half")
    loaded = load(saved, name_or_path=tmp_path / "half", dtype=dtype)
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {expected}


def test_overrides_reach_the_configuration(saved):
    config = model_config(name_or_path=saved("bert"))
    model = load_model(config, TEXT_CLASS, LABELS, overrides={"hidden_dropout_prob": 0.3}).model
    assert model.bert.embeddings.dropout.p == 0.3
    with pytest.raises(ModelError, match="did you mean hidden_dropout_prob"):
        load_model(config, TEXT_CLASS, LABELS, overrides={"hiden_dropout_prob": 0.3})


def test_unused_weights_are_a_debug_line(saved, said):
    load(saved, "modernbert")
    assert "the checkpoint also holds, unused: decoder.bias" in said()


# --- from scratch ---

SCRATCH = {"model_type": "resnet", "embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]}


def scratch(seed=1, **changes):
    config = model_config(config={**SCRATCH, "layer_type": "basic", **changes})
    return load_model(config, "AutoModelForImageClassification", LABELS, seed=seed)


def test_from_scratch_is_stated_and_seeded(said):
    loaded = scratch()
    assert loaded.head_report.from_scratch
    assert "trained from scratch" in said()
    assert loaded.model.config.num_labels == 3
    weights, again, other = (scratch(seed=seed).model.classifier[1].weight for seed in (1, 1, 2))
    assert torch.equal(weights, again)
    assert not torch.equal(weights, other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "resnt"}, "did you mean resnet"),
        ({"model_type": None}, "names the architecture"),
        ({"hiden_sizes": [8]}, "did you mean hidden_sizes"),
        ({"layer_type": "frob"}, "refused by resnet"),
    ],
)
def test_from_scratch_mistakes(changes, message):
    with pytest.raises(ModelError, match=message):
        scratch(**changes)


def test_a_model_that_cannot_do_the_task(saved):
    with pytest.raises(ModelError, match="a resnet model cannot do SequenceClassification; it can do: .*ImageC"):
        load_model(model_config(name_or_path=saved("resnet")), TEXT_CLASS, LABELS)


# --- where it is ---


@pytest.fixture
def package(saved, tmp_path, monkeypatch):
    """An installed package that carries weights and must not be imported."""
    root = tmp_path / "site" / "carries_weights"
    shutil.copytree(saved("bert"), root / "model")
    (root / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(root.parent))
    digest = hashlib.sha256((root / "model" / "model.safetensors").read_bytes()).hexdigest()
    return {"carries": "nobody/nothing", "module": "carries_weights", "folder": "model", "sha256": digest}


def test_a_package_is_used_and_not_imported(package, saved, said):
    load(saved, name_or_path="nobody/nothing", package=package)
    assert "the installed package carries_weights" in said()
    assert "carries_weights" not in sys.modules


def test_a_package_is_used_for_the_model_it_carries_alone(package, saved, said):
    with pytest.raises(NothingReached):
        load(saved, name_or_path="nobody/else", package=package)


def test_a_package_with_other_weights_shows_both_hashes(package, saved):
    wrong = "0" * 64
    with pytest.raises(ModelError, match=f"{package['sha256']}.*{wrong}"):
        load(saved, name_or_path="nobody/nothing", package={**package, "sha256": wrong})


@pytest.mark.parametrize("folder", ["elsewhere", "../.."])
def test_a_package_folder_without_weights(folder, package, saved):
    with pytest.raises(ModelError, match="install it again"):
        load(saved, name_or_path="nobody/nothing", package={**package, "folder": folder})


def test_a_local_folder_goes_before_the_package(package, saved, said):
    load(saved, name_or_path=saved("bert"), package=package)
    assert "the installed package" not in said()


def test_hub_out_of_reach(saved, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    missing = {"carries": "nobody/nothing", "module": "not_installed_at_all", "sha256": "0" * 64}
    with pytest.raises(NothingReached, match="nobody/nothing@main.*hf download nobody/nothing"):
        load(saved, name_or_path="nobody/nothing", package=missing)


def test_nothing_named():
    with pytest.raises(ModelError, match="no model is named"):
        load_model(model_config(), TEXT_CLASS, LABELS)


@pytest.mark.parametrize("form", ["absolute", "relative", "existing parent"])
def test_a_folder_that_does_not_exist_names_the_nearest(form, saved, tmp_path, monkeypatch):
    shutil.copytree(saved("bert"), tmp_path / "models" / "mine")
    monkeypatch.chdir(tmp_path)
    name = {
        "absolute": f"{tmp_path}/models/mien",
        "relative": "./models/mien",
        "existing parent": "models/mien",
    }
    with pytest.raises(ModelError, match="did you mean .*models/mine"):
        load(saved, name_or_path=name[form])


def test_a_file_instead_of_a_folder(saved):
    with pytest.raises(ModelError, match="is a file; name the folder"):
        load(saved, name_or_path=f"{saved('bert')}/model.safetensors")


@pytest.mark.parametrize("keep", [0.5, 0, None])
def test_broken_weights(keep, saved, tmp_path):
    folder = shutil.copytree(saved("bert"), tmp_path / "broken")
    weights = folder / "model.safetensors"
    content = weights.read_bytes()
    weights.unlink() if keep is None else weights.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(ModelError, match="cannot read the weights from"):
        load(saved, name_or_path=folder)


@pytest.mark.parametrize("text", ['{"a": ', '{"model_type": "frob"}', "{}"])
def test_broken_configuration(text, saved, tmp_path):
    folder = shutil.copytree(saved("bert"), tmp_path / "broken")
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelError, match="cannot read the model's configuration from"):
        load(saved, name_or_path=folder)


def test_a_checkpoint_with_its_own_code_is_refused_and_not_run(saved, tmp_path):
    folder = shutil.copytree(saved("bert"), tmp_path / "stranger")
    (folder / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    config = {"model_type": "stranger", "auto_map": {"AutoConfig": "code.Config", TEXT_CLASS: "code.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="cannot read the model's configuration"):
        load(saved, name_or_path=folder)
    assert not (tmp_path / "ran").exists()
