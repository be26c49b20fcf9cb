"""Runs that begin behind their frozen backbone end as those that run it in every epoch, and say whether they did."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer, TrainerCallback

from tests import tiny
from tests.contexts import context_of
from tests.runs import stop_at
from tunebook import setup
from tunebook.check import check
from tunebook.config.compose import compose
from tunebook.models.cache.states_file import MANIFEST
from tunebook.run import run
from tunebook.training import build
from tunebook.training.backbone_cache import enable_cache

ROOT = Path(__file__).parents[2]
WORDS = ["film", "story", "food", "room", "was", "the", "good", "bad"]
HEAD, HALF = ["freezing=head_only"], ["freezing=last_n", "freezing.n=2"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")

    def folder(family):
        path = root / family
        return path if path.exists() else tiny.tiny_model(family, path)

    return folder


def text(models, family="bert"):
    return [
        "model=auto", f"model.name_or_path={models(family)}", "task.max_length=24", "run.name=x", "run.audit=false",
        "dataset.max_rows={train: 44, validation: 24, test: 20}", "hyperparameters.effective_batch_size=8",
        "hyperparameters.learning_rate=1e-2", "runtime.precision=float32", "runtime=cpu",
        "runtime.per_device_eval_batch_size=7",
    ]  # fmt: skip


def image(models, family, tmp_path):
    noise = np.random.default_rng(0)
    for split, count in {"train": 20, "validation": 8}.items():
        for at in range(count):
            folder = tmp_path / "images" / split / ("cat" if at % 3 == 0 else "dog")
            folder.mkdir(parents=True, exist_ok=True)
            values = noise.integers(0, 256, (20, 20, 3), dtype=np.uint8) // (1 + at % 3)
            Image.fromarray(values).save(folder / f"{at}.png")
    return [
        "task=image_classification", "dataset=image_folder", f"dataset.path={tmp_path / 'images'}", "model=auto",
        f"model.name_or_path={models(family)}", "run.name=x", "runtime.precision=float32", "runtime=cpu",
        "hyperparameters.effective_batch_size=4", "hyperparameters.learning_rate=1e-3", "run.audit=false",
    ]  # fmt: skip


def go(out, *overrides, epochs=3):
    said = [f"hyperparameters.num_train_epochs={epochs}", *overrides, f"run.output_dir={out}"]
    return run(check(compose([*said, f"runtime.cache_dir={out.parent / 'cache'}"])))


def line(result):
    told = [line for line in (result.path / "log.txt").read_text().splitlines() if "frozen-backbone cache" in line]
    return told[-1].partition("frozen-backbone cache: ")[2]


def weights(result):
    return load_file(result.model / "model.safetensors")


def history(result):
    entries = map(json.loads, (result.path / "history.jsonl").read_text().splitlines())
    skipped = ("runtime", "per_second", "flos", "preparation_time")
    return [{name: value for name, value in entry.items() if not name.endswith(skipped)} for entry in entries]


def same(one, other, digits=1e-5):
    assert one.metrics.keys() == other.metrics.keys()
    for split, metrics in one.metrics.items():
        assert metrics == pytest.approx(other.metrics[split], abs=digits)
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert max(float((first[name] - second[name]).abs().max()) for name in first) < digits
    for ours, theirs in zip(history(one), history(other), strict=True):
        assert ours == pytest.approx(theirs, abs=10 * digits)


@pytest.mark.parametrize(("family", "trains"), [("bert", HEAD), ("bert", HALF), ("gpt2", HALF)], ids=str)
def test_a_text_run_ends_as_without_the_cache(models, tmp_path, family, trains):
    said = [*text(models, family), *trains]
    with_it, without = go(tmp_path / "on", *said), go(tmp_path / "off", *said, "freezing.cache=off")
    frozen = 4 if trains is HEAD else 2
    assert line(with_it).startswith(f"on. {frozen} of 4 layers stay frozen, so training runs from ")
    assert "88 rows" in line(with_it)
    assert line(without) == "off, as freezing.cache says"
    same(with_it, without)


@pytest.mark.parametrize(("family", "trains"), [("vit", HALF), ("resnet", HEAD)], ids=str)
def test_an_image_run_ends_as_without_the_cache(models, tmp_path, family, trains):
    said = [*image(models, family, tmp_path), *trains]
    with_it, without = go(tmp_path / "on", *said, epochs=2), go(tmp_path / "off", *said, "freezing.cache=off", epochs=2)
    assert line(with_it).startswith("on. ")
    assert not line(without).startswith("on. ")
    same(with_it, without)


MADE = {
    "lora": ["adapter=lora", *HALF],
    "ia3": ["adapter=ia3", *HALF],  # its parameters lie in a ParameterDict, which never runs
    "a head of ours": ["model.pooling=mean", "model.head_widths=[16]", *HEAD],
}


@pytest.mark.parametrize("made", MADE)
def test_adapters_and_heads_of_ours_are_served(models, tmp_path, made):
    said = [*text(models), *MADE[made]]
    with_it, without = go(tmp_path / "on", *said, epochs=2), go(tmp_path / "off", *said, "freezing.cache=off", epochs=2)
    assert line(with_it).startswith("on. ")
    same(with_it, without)


SETTINGS = {
    "repeats, accumulated": [
        *HALF,
        "sampling=oversample",
        "hyperparameters.per_device_train_batch_size=3",
        "hyperparameters.effective_batch_size=9",
    ],
    "workers, one row at a time": [
        *HEAD,
        "runtime.dataloader_num_workers=2",
        "hyperparameters.train_sampling_strategy=random",
        "hyperparameters.effective_batch_size=5",
    ],
    "two passes, averaged, one width": [
        *HALF,
        "regularization.r_drop={alpha: 1.0}",
        "regularization.ema={decay: 0.9}",
        "task.padding=max_length",
    ],
    "bf16": [*HEAD, "runtime.precision=bf16"],
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_any_way_of_drawing_and_judging_rows_is_served(models, tmp_path, setting):
    said = [*text(models), *SETTINGS[setting]]
    with_it, without = go(tmp_path / "on", *said, epochs=2), go(tmp_path / "off", *said, "freezing.cache=off", epochs=2)
    assert line(with_it).startswith("on. ")
    same(with_it, without, 0.02 if setting == "bf16" else 1e-5)


class Counting(TrainerCallback):
    """Counts what runs inside of the frozen layers from the first step on; the layers themselves are stood in for."""

    def __init__(self):
        self.calls = []

    def on_step_begin(self, args, state, control, model=None, **kwargs):
        if state.global_step == 0:
            for layer in model.bert.encoder.layer[:2]:
                for part in layer.children():
                    part.register_forward_pre_hook(lambda module, args: self.calls.append(module))


def counted(monkeypatch):
    """Counts in the next run."""
    counting, build_trainer = Counting(), build.build_trainer

    def and_count(*given):
        trainer = build_trainer(*given)
        trainer.add_callback(counting)
        return trainer

    monkeypatch.setattr(build, "build_trainer", and_count)
    return counting


def test_a_run_with_another_rate_finds_the_states_and_runs_nothing_frozen(models, tmp_path, monkeypatch):
    said = [*text(models), *HALF]
    first = go(tmp_path / "a", *said)
    assert "train, validation, test computed in" in line(first)
    other = [*said, "hyperparameters.learning_rate=1e-3"]
    with monkeypatch.context() as patch:
        counting = counted(patch)
        patch.setattr("tunebook.training.backbone_states.write_states", None)
        second = go(tmp_path / "b", *other)
    assert "(train, validation, test there already)" in line(second)
    assert counting.calls == []
    with monkeypatch.context() as patch:
        counting = counted(patch)
        without = go(tmp_path / "c", *other, "freezing.cache=off")
    assert len(counting.calls) > 18 * 2 * 2  # 18 steps of training, two layers, each with some modules inside
    same(second, without)


def test_a_damaged_entry_is_computed_again_and_logged(models, tmp_path):
    said = [*text(models), *HEAD]
    whole = go(tmp_path / "a", *said)
    largest = max((tmp_path / "cache").glob("*/states.bin"), key=lambda file: file.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[100] ^= 0xFF
    largest.write_bytes(bytes(content))
    again = go(tmp_path / "b", *said)
    assert "train computed in" in line(again)
    assert "validation, test there already" in line(again)
    log = (again.path / "log.txt").read_text()
    assert "are damaged (states.bin differs from what was written): they are computed again" in log
    assert weights(again)["classifier.weight"].equal(weights(whole)["classifier.weight"])


REASONS = {
    "every parameter trains": ["freezing=none"],
    "every parameter trains in some phase of the policy": ["freezing=head_then_all", "freezing.head_steps=2"],
    "no layer is frozen in front of bert.encoder.layer.0.attention.self.query.weight, which trains": [
        "freezing=embeddings"
    ],
    "no layer is frozen in front of bert.embeddings.LayerNorm.weight, which trains": [*HEAD, "freezing.norms=train"],
    "augmentation.method=text changes the rows in every epoch": [*HEAD, "augmentation=text_noise"],
    "runtime.activation_checkpointing runs layers once more in the backward pass": [
        *HALF,
        "runtime.activation_checkpointing=true",
    ],
    "training reads 16 of its 44 rows once, and ends": [*HEAD, "hyperparameters.max_steps=2"],
    "the states take 1.13e-05 GB, more than runtime.cache_gb=1e-06": [*HEAD, "runtime.cache_gb=1e-6"],
}


@pytest.mark.parametrize("reason", REASONS)
def test_the_reason_is_told_when_it_is_off(models, tmp_path, caplog, monkeypatch, reason):
    monkeypatch.setattr(logging.getLogger("tunebook"), "propagate", True)
    caplog.set_level(logging.INFO, "tunebook")
    said = [*text(models), "hyperparameters.num_train_epochs=1", *REASONS[reason]]
    context = context_of(tmp_path / "run", *said, f"runtime.cache_dir={tmp_path / 'cache'}")
    assert enable_cache(context) is None
    assert caplog.messages[-1] == f"frozen-backbone cache: off, as {reason}"
    assert not list((tmp_path / "cache").glob("*/"))


@pytest.mark.parametrize(("trains", "gone"), [(HALF, False), (HEAD, True)], ids=["there", "deleted"])
def test_a_run_that_is_cut_off_ends_with_the_same_weights(models, tmp_path, monkeypatch, trains, gone):
    said = [*text(models), *trains]
    whole = go(tmp_path / "whole", *said)
    with monkeypatch.context() as patch:
        stop_at(8, patch)
        with pytest.raises(SystemExit):
            go(tmp_path / "cut", *said)
    if gone:
        for file in (tmp_path / "cache").glob("*/*"):
            file.unlink()
    cut = go(tmp_path / "cut", *said)
    assert line(cut).startswith("on. ")
    one, other = weights(whole), weights(cut)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_ctrl_c_while_states_are_computed_leaves_nothing(models, tmp_path, monkeypatch):
    said = [*text(models), *HEAD]

    def interrupted(self, rows, states):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tunebook.models.cache.states_file.StatesWriter.write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            go(tmp_path / "a", *said)
    assert not [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]
    assert "train, validation, test computed in" in line(go(tmp_path / "a", *said))


def test_a_full_disk_turns_it_off(models, tmp_path, monkeypatch):
    def full(self, rows, states):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tunebook.models.cache.states_file.StatesWriter.write", full)
    result = go(tmp_path / "a", *text(models), *HEAD)
    assert line(result) == f"off, as states cannot be stored in {tmp_path / 'cache'} (No space left on device)"


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate 20 GiB"), "off, as memory does not suffice"),
        (PermissionError(13, "Permission denied"), "off, as states cannot be stored in"),
    ],
    ids=["memory", "rights"],
)
def test_a_limit_of_the_machine_turns_it_off(models, tmp_path, monkeypatch, what, said):
    def refused(*given):
        raise what

    monkeypatch.setattr("tunebook.training.backbone_states.write_states", refused)
    assert line(go(tmp_path / "a", *text(models), *HEAD)).startswith(said)
    assert not [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]


def test_a_bug_while_states_are_computed_is_none_of_the_machines_limits(models, tmp_path, monkeypatch):
    def broken(*given):
        raise RuntimeError("sizes do not match")

    monkeypatch.setattr("tunebook.training.backbone_states.write_states", broken)
    with pytest.raises(RuntimeError, match="sizes do not match"):
        go(tmp_path / "a", *text(models), *HEAD)


def test_states_of_another_user_are_read(models, tmp_path, monkeypatch):
    said = [*text(models), *HEAD]
    go(tmp_path / "a", *said)

    utime = os.utime

    def forbidden(path, *given, **named):
        if Path(path).name == MANIFEST:
            raise PermissionError(1, "Operation not permitted")
        utime(path, *given, **named)

    monkeypatch.setattr(os, "utime", forbidden)
    assert "train, validation, test there already" in line(go(tmp_path / "b", *said, "hyperparameters.seed=5"))


def test_shorter_rows_that_an_evaluation_meets_first_are_scored_at_their_own_last_token(models, tmp_path):
    """Training rows all fill the longest length; a decoder must not take the padding of the others for a text."""
    folder = tmp_path / "decoder"
    AutoTokenizer.from_pretrained(models("gpt2")).save_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(models("gpt2"), num_labels=2)
    model.config.pad_token_id = 4  # not 0, which stands in for ids
    model.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(4)
    tokenizer.save_pretrained(folder)
    lengths = {"train": [30] * 24, "validation": [3, 5, 2, 9, 4, 7, 3, 6] * 2}
    for split, words in lengths.items():
        rows = [{"text": " ".join(WORDS[(at + n) % len(WORDS)] for n in range(count)), "label": "ab"[at % 2]}
                for at, count in enumerate(words)]  # fmt: skip
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = [
        *text(models), f"model.name_or_path={folder}", *HEAD, "dataset=files", "task.max_length=16",
        "dataset.max_rows={}",
        *[f"dataset.{split}={tmp_path / split}.jsonl" for split in lengths],
        *[f"cleaning.{kind}=ignore" for kind in ("duplicates", "near_duplicates", "conflicts", "leaks", "near_leaks")],
    ]  # fmt: skip
    with_it, without = go(tmp_path / "on", *said), go(tmp_path / "off", *said, "freezing.cache=off")
    assert line(with_it).startswith("on. ")
    assert with_it.metrics["validation"] == pytest.approx(without.metrics["validation"], abs=1e-5)


def test_other_weights_in_a_checkpoint_are_found(models, tmp_path, monkeypatch):
    said = [*text(models), *HALF]
    with monkeypatch.context() as patch:
        stop_at(8, patch)
        with pytest.raises(SystemExit):
            go(tmp_path / "cut", *said)
    load = setup.load_model

    def with_others(*rest, **named):
        loaded = load(*rest, **named)
        with torch.no_grad():
            loaded.model.bert.encoder.layer[0].output.dense.weight.mul_(1.5)
        return loaded

    monkeypatch.setattr(setup, "load_model", with_others)
    with pytest.raises(ValueError, match="the frozen layers of the checkpoint are not those of model.name_or_path"):
        go(tmp_path / "cut", *said)


def launched(overrides, out, processes):
    torchrun = [str(Path(sys.executable).parent / "torchrun"), "--nproc_per_node", str(processes)]
    command = [*torchrun, "--rdzv_backend", "c10d", "--rdzv_endpoint", "localhost:0", "run.py", *overrides]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "ACCELERATE_USE_CPU": "true"}
    said = [f"run.output_dir={out}", f"runtime.cache_dir={out.parent / 'cache'}", "hyperparameters.num_train_epochs=2"]
    done = subprocess.run([*command, *said], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return next((out / "default").iterdir())


def test_two_processes_compute_what_one_does(models, tmp_path):
    said = [*text(models), *HALF, "model.dropout={hidden_dropout_prob: 0.0, attention_probs_dropout_prob: 0.0}"]
    two = launched(said, tmp_path / "two", 2)
    told = (two / "log.txt").read_text()
    assert told.count("frozen-backbone cache: on.") == 1
    assert "train, validation, test computed in" in told
    # What both have written is what one finds, and what one alone would have written.
    one = go(tmp_path / "one", *said, epochs=2)
    assert "train, validation, test there already" in line(one)
    kept = {file.parent.name: file.read_bytes() for file in (tmp_path / "cache").glob("*/states.bin")}
    for file in (tmp_path / "cache").glob("*/*"):
        file.unlink()
    go(tmp_path / "alone", *said, epochs=2)
    assert {file.parent.name: file.read_bytes() for file in (tmp_path / "cache").glob("*/states.bin")} == kept
    first, second = load_file(two / "model" / "model.safetensors"), weights(one)
    assert max(float((first[name] - second[name]).abs().max()) for name in first) < 1e-5
