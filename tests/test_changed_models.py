"""Runs of models that were cut, reinitialized or given a head of ours: resumed, shared by ranks, loaded, trained on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file
from transformers import AutoModel, pipeline

from tests import tiny
from tests.runs import go, stop_at
from tests.training.test_gradients import without_dropout
from tunebook.errors import ModelError
from tunebook.models import classifier

ROOT = Path(__file__).parents[1]
OURS = ["model.pooling=mean", "model.head_widths=[16]"]
CHANGED = ["model.drop_layers=1", "model.reinit_layers=1", "model.init=xavier", "model.dropout.hidden_dropout_prob=0.2"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny.tiny_text_model("bert", tmp_path_factory.mktemp("model") / "bert")


@pytest.fixture(scope="module")
def overrides(base):
    """Six steps."""
    return [
        "model=auto", f"model.name_or_path={base}", "task.max_length=24", "runtime=cpu", "run.name=x",
        "dataset.max_rows={train: 48, validation: 24, test: 24}", "hyperparameters.effective_batch_size=8",
        "hyperparameters.learning_rate=1e-3", "runtime.precision=float32", "hyperparameters.num_train_epochs=1",
        "run.audit=false",
    ]  # fmt: skip


def weights(result):
    return load_file(result.model / "model.safetensors")


@pytest.mark.parametrize("changes", [[*OURS, *CHANGED], CHANGED], ids=["ours", "its own head"])
def test_a_run_that_was_cut_off_ends_with_the_same_weights(overrides, tmp_path, monkeypatch, changes):
    whole = go(tmp_path / "whole", *overrides, *changes)
    with monkeypatch.context() as patch:
        stop_at(3, patch)
        with pytest.raises(SystemExit):
            go(tmp_path / "cut", *overrides, *changes)
    cut = go(tmp_path / "cut", *overrides, *changes)
    assert json.loads((cut.path / "run.json").read_text())["resumed_from"] == [3]
    assert (cut.model / "model.safetensors").read_bytes() == (whole.model / "model.safetensors").read_bytes()
    assert cut.metrics == whole.metrics
    answer = pipeline("text-classification", model=str(cut.model))
    assert len(answer.model.base_model.encoder.layer) == tiny.LAYERS - 1
    assert answer("a warm and funny film")[0]["label"] in {"negative", "positive"}


def test_head_only_trains_the_mlp_alone(overrides, base, tmp_path):
    result = go(tmp_path, *overrides, *OURS, "freezing=head_only")
    trained, before = weights(result), AutoModel.from_pretrained(base).state_dict()
    backbone = {
        name.removeprefix("backbone."): value for name, value in trained.items() if name.startswith("backbone.")
    }
    assert backbone
    assert all(torch.equal(value, before[name]) for name, value in backbone.items())
    assert {name for name in trained if not name.startswith("backbone.")} == {
        f"classifier.{layer}.{kind}" for layer in ("dense0", "out") for kind in ("weight", "bias")
    }
    assert trained["classifier.out.bias"].any(), "new biases are zero"


def test_its_card_says_how_it_is_loaded_and_another_run_starts_from_it(overrides, tmp_path):
    first = go(tmp_path / "first", *overrides, *OURS)
    said = ModelCard.load(first.model / "README.md").text
    assert 'pipeline("text-classification", model=".", trust_remote_code=True)' in said
    assert "classifier.py" in said
    assert (first.model / "classifier.py").read_text() == Path(classifier.__file__).read_text()
    asked = [sys.executable, "scripts/try_model.py", str(first.path), "a good film"]
    answered = subprocess.run(asked, capture_output=True, text=True, timeout=300, cwd=Path(__file__).parents[1])
    assert answered.returncode == 0, answered.stderr
    assert "%" in answered.stdout
    second = go(tmp_path / "second", *overrides, f"model.name_or_path={first.model}", "freezing=head_only")
    one, two = weights(first), weights(second)
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) == name.startswith("backbone.") for name in one)
    assert "README.md says how it loads" in (first.path / "log.txt").read_text()
    assert "the whole head came from the checkpoint" in (second.path / "log.txt").read_text()


def test_what_transformers_has_is_loaded_without_code(overrides, tmp_path):
    result = go(tmp_path, *overrides, *CHANGED)
    assert not list(result.model.glob("*.py"))
    assert "trust_remote_code" not in (result.model / "README.md").read_text()


def test_layers_that_are_drawn_must_train(overrides, tmp_path):
    said = [*overrides, "freezing=first_n", "freezing.n=3", "hyperparameters.max_steps=1"]
    assert go(tmp_path / "one", *said, "model.reinit_layers=1").trained
    with pytest.raises(ModelError, match=r"model\.reinit_layers +reinitializes bert\.encoder\.layer\.2\."):
        go(tmp_path / "two", *said, "model.reinit_layers=2")


@pytest.mark.parametrize("task", ["text_regression", "multi_label_text"])
def test_numbers_and_several_labels(tmp_path, base, overrides, task):
    """Kinds of answer whose head differs: one output, and one for each label."""
    number = task == "text_regression"
    files = []
    for split in ("train", "validation"):
        texts = [f"{sentence} {at} {split}" for at in range(6) for sentence in tiny.SENTENCES]
        labels = [at / 10 if number else ["x", "y"][at % 2 :] for at in range(len(texts))]
        rows = [json.dumps({"text": text, "label": label}) for text, label in zip(texts, labels, strict=True)]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(rows))
        files.append(f"dataset.{split}={tmp_path / split}.jsonl")
    told = [] if number else ["dataset.labels=[x,y]"]
    said = [text for text in overrides if not text.startswith("dataset.")]
    leaks = ["cleaning.leaks=report", "cleaning.near_leaks=report"]  # the few words of both splits are the same
    steps = "hyperparameters.max_steps=2"
    result = go(tmp_path / "out", f"task={task}", *said, "dataset=files", *files, *told, *OURS, *leaks, steps)
    assert weights(result)["classifier.out.weight"].shape == (1 if number else 2, 16)
    assert result.metrics["validation"]["loss"] > 0


def test_two_processes_end_where_one_does(tmp_path):
    model = without_dropout(tiny.tiny_text_model("bert", tmp_path / "bert"))
    said = [
        "model=auto", f"model.name_or_path={model}", *OURS, "model.reinit_layers=2", "model.init=kaiming",
        "model.dropout={head_dropout: 0}", "task.max_length=24", "runtime=cpu", "run.name=x", "run.audit=false",
        "dataset.max_rows={train: 48, validation: 24, test: 24}", "hyperparameters.effective_batch_size=8",
        "hyperparameters.learning_rate=1e-3", "runtime.precision=float32", "hyperparameters.max_steps=4",
        "hyperparameters.eval_strategy=no", "hyperparameters.load_best_model_at_end=false",
    ]  # fmt: skip
    launcher = [str(Path(sys.executable).parent / "torchrun"), "--nproc_per_node", "2", "--rdzv_backend", "c10d",
                "--rdzv_endpoint", "localhost:0"]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [*launcher, "run.py", *said, f"run.output_dir={tmp_path / 'two'}"], cwd=ROOT, env=environment,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    one = weights(go(tmp_path / "one", *said))
    two = load_file(tmp_path / "two" / "default" / "x" / "model" / "model.safetensors")
    assert all(torch.allclose(one[name], two[name], atol=1e-5) for name in one)
