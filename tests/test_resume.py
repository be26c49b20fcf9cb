"""A run that is cut off anywhere ends with the weights of one that never was."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests import tiny

ROOT = Path(__file__).parents[1]
STEPS = 30  # 3 epochs of 10 steps: 120 rows, 12 a step


@pytest.fixture(scope="module")
def overrides(tmp_path_factory) -> list[str]:
    """A tiny BERT with dropout, rows of unequal length, accumulation 2, length grouping, float32."""
    folder = tmp_path_factory.mktemp("resume")
    model = tiny.tiny_text_model("bert", folder / "bert")
    draw = random.Random(0)
    words = " ".join(tiny.SENTENCES).split()
    for split, count in {"train": 120, "validation": 20}.items():
        rows = [
            {"text": " ".join(draw.choices(words, k=draw.randint(3, 40))) + f" {at}", "label": "ab"[at % 2]}
            for at in range(count)
        ]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [
        "task.max_length=48", "dataset=files", f"dataset.train={folder / 'train.jsonl'}",
        f"dataset.validation={folder / 'validation.jsonl'}", "model=auto", f"model.name_or_path={model}",
        "hyperparameters.effective_batch_size=12", "hyperparameters.per_device_train_batch_size=6",
        "hyperparameters.train_sampling_strategy=group_by_length", "hyperparameters.num_train_epochs=3",
        "hyperparameters.learning_rate=1e-3", "hyperparameters.eval_strategy=steps", "hyperparameters.eval_steps=3",
        "runtime=cpu", "runtime.precision=float32", "runtime.logging_steps=1",
    ]  # fmt: skip


def start(overrides: list[str], out: Path) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(
        [sys.executable, "run.py", *overrides, f"run.output_dir={out}", "run.name=x"],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finish(overrides: list[str], out: Path) -> str:
    process = start(overrides, out)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return said


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "default" / "x" / "model" / "model.safetensors")


def last_checkpoint(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "default" / "x" / "checkpoints" / f"checkpoint-{STEPS}" / "model.safetensors")


def assert_equal(out: Path, reference: Path) -> None:
    for read in (weights, last_checkpoint):
        ours, whole = read(out), read(reference)
        assert ours.keys() == whole.keys()
        assert all(torch.equal(ours[name], whole[name]) for name in whole)
    ours, whole = (json.loads((path / "default/x/metrics.json").read_text()) for path in (out, reference))
    assert ours == whole
    steps = [
        [entry["step"] for entry in map(json.loads, (path / "default/x/history.jsonl").read_text().splitlines())
         if "loss" in entry]
        for path in (out, reference)
    ]  # fmt: skip
    assert steps[0] == steps[1] == list(range(1, STEPS + 1))


@pytest.fixture(scope="module")
def reference(overrides, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("reference")
    finish(overrides, out)
    return out


def steps_done(run: Path) -> int:
    history = run / "history.jsonl"
    return history.read_text().count('"grad_norm"') if history.exists() else 0


def wait_for(process: subprocess.Popen, moment) -> bool:
    """Until the moment has come (True) or the process has ended (False)."""
    while process.poll() is None:
        if moment():
            return True
        time.sleep(0.0005)
    return False


def test_killed_at_ten_random_moments_some_inside_a_save(overrides, reference, tmp_path):
    draw = random.Random(7)
    run = tmp_path / "default" / "x"
    checkpoints = run / "checkpoints"
    inside_a_save = kills = 0
    for attempt in range(10):
        process = start(overrides, tmp_path)
        before = steps_done(run)
        if attempt % 2:
            came = wait_for(process, lambda: any(checkpoints.glob(".saving-*")))
            time.sleep(draw.uniform(0, 0.01))
        else:
            target = before + draw.randint(1, 4)
            came = wait_for(process, lambda target=target: steps_done(run) >= target)
            time.sleep(draw.uniform(0, 0.03))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += came
        inside_a_save += any(checkpoints.glob(".saving-*"))
    assert kills == 10, "the run ended before it was killed ten times"
    assert inside_a_save >= 2
    said = finish(overrides, tmp_path)
    assert "resuming after step" in said
    assert_equal(tmp_path, reference)
    assert not any(checkpoints.glob(".saving-*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_first_and_the_same_command_continues(overrides, reference, tmp_path, number):
    run = tmp_path / "default" / "x"
    process = start(overrides, tmp_path)
    assert wait_for(process, lambda: steps_done(run) >= 7)
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "the same command continues" in said
    assert "Traceback" not in said
    step = max(int(path.name.split("-")[1]) for path in (run / "checkpoints").glob("checkpoint-*"))
    assert step >= 7
    assert f"resuming after step {step}" in finish(overrides, tmp_path)
    assert_equal(tmp_path, reference)


def test_a_broken_newest_checkpoint_is_put_aside_with_a_warning(overrides, reference, tmp_path):
    run = tmp_path / "default" / "x"
    process = start(overrides, tmp_path)
    assert wait_for(process, lambda: steps_done(run) >= 8)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    newest = max((run / "checkpoints").glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    (newest / "scheduler.pt").unlink()  # transformers alone would resume from this without a word
    said = finish(overrides, tmp_path)
    assert f"{newest.name} is not whole (scheduler.pt is missing)" in said
    assert_equal(tmp_path, reference)


def test_a_finished_run_is_shown_and_not_trained_again(overrides, reference):
    model = reference / "default" / "x" / "model" / "model.safetensors"
    before = model.stat().st_mtime_ns
    said = finish(overrides, reference)
    assert "this run was finished" in said
    assert "accuracy" in said
    assert model.stat().st_mtime_ns == before
