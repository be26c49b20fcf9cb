"""Promises that hold for every task: gradients of every batch layout, resume to the bit, two ranks as one."""

from __future__ import annotations

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

from tests import six_tasks
from tests.runs import go, stop_at
from tests.training.test_gradients import LAYOUTS, gradients, relative_difference

ROOT = Path(__file__).parents[1]
TORCHRUN = [str(Path(sys.executable).parent / "torchrun"), "--nproc_per_node", "2", "--rdzv_backend", "c10d",
            "--rdzv_endpoint", "localhost:0"]  # fmt: skip


@pytest.mark.parametrize("task", six_tasks.TASKS)
def test_every_layout_gives_the_gradient_of_the_whole_batch(tmp_path, task):
    """The micro-batches hold unlike numbers of tokens, answers and tags."""
    said = six_tasks.command(task, tmp_path, rows={"train": 8}, dropout=False)
    found = {layout: gradients(tmp_path, said, layout) for layout in LAYOUTS}
    whole = found.pop("8x1")
    assert len(whole) > 5
    for layout, gradient in found.items():
        difference = relative_difference(whole, gradient)
        print(f"{task}, {layout}: relative difference {difference:.1e}")
        assert difference < 1e-5, layout


@pytest.mark.parametrize("task", ["token_classification", "seq2seq", "chat"])
def test_a_mean_over_micro_batches_would_give_another_gradient(tmp_path, task):
    """With unlike counts the mean of means is wrong, so that the test above can fail."""
    said = six_tasks.command(task, tmp_path, rows={"train": 8}, dropout=False)
    whole, split = (gradients(tmp_path, said, layout, "plain") for layout in ("8x1", "2x4"))
    scaled = {name: value / 4 for name, value in split.items()}
    assert relative_difference(whole, scaled) > 1e-3


def result_of(path: Path) -> tuple[dict, dict]:
    return load_file(path / "model" / "model.safetensors"), json.loads((path / "metrics.json").read_text())


@pytest.mark.parametrize("task", six_tasks.TASKS)
def test_a_run_that_is_stopped_ends_with_the_weights_of_one_that_never_was(tmp_path, task, monkeypatch):
    said = [*six_tasks.command(task, tmp_path), "hyperparameters.num_train_epochs=2", "run.name=x"]
    whole = go(tmp_path / "whole", *said)
    with monkeypatch.context() as patch:
        stop_at(7, patch)
        with pytest.raises(SystemExit):
            go(tmp_path / "cut", *said)
    cut = go(tmp_path / "cut", *said)
    (ours, metrics), (theirs, expected) = result_of(cut.path), result_of(whole.path)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert metrics == expected
    for split in ("validation", "test"):
        lines = [(run.path / "predictions" / f"{split}.jsonl").read_text() for run in (cut, whole)]
        assert lines[0] == lines[1]
        assert len(lines[0].splitlines()) == six_tasks.ROWS[split]


@pytest.mark.slow
@pytest.mark.parametrize("task", six_tasks.TASKS)
def test_a_run_that_is_killed_at_a_random_moment_ends_with_the_same_weights(tmp_path, task):
    said = [*six_tasks.command(task, tmp_path), "hyperparameters.num_train_epochs=4", "run.name=x",
            "hyperparameters.eval_strategy=steps", "hyperparameters.eval_steps=2"]  # fmt: skip
    whole = go(tmp_path / "whole", *said)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    out = tmp_path / "cut"
    command = [sys.executable, "run.py", *said, f"run.output_dir={out}"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    checkpoints = out / "default" / "x" / "checkpoints"
    while not list(checkpoints.glob("checkpoint-*")) and process.poll() is None:
        time.sleep(0.05)
    time.sleep(random.uniform(0, 1.5))
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (ours, metrics), (theirs, expected) = result_of(out / "default" / "x"), result_of(whole.path)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert metrics == expected


@pytest.mark.slow
@pytest.mark.parametrize("task", six_tasks.TASKS)
def test_two_ranks_do_what_one_does(tmp_path, task):
    """37 training rows at 8 a step leave a last step that one rank fills up with rows that do not count."""
    rows = {"train": 37, "validation": 13, "test": 11}
    said = [*six_tasks.command(task, tmp_path, rows=rows, dropout=False), "run.name=x",
            "hyperparameters.num_train_epochs=2", "runtime.per_device_eval_batch_size=3"]  # fmt: skip
    alone = go(tmp_path / "alone", *said)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "ACCELERATE_USE_CPU": "true"}
    out = tmp_path / "two"
    command = [*TORCHRUN, "run.py", *said, f"run.output_dir={out}"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (ours, metrics), (theirs, expected) = result_of(out / "default" / "x"), result_of(alone.path)
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-5) for name in theirs)
    for split in ("validation", "test"):
        assert metrics[split] == pytest.approx(expected[split], rel=1e-4, abs=1e-5)
        read = [
            [json.loads(line)["row"] for line in (path / "predictions" / f"{split}.jsonl").read_text().splitlines()]
            for path in (out / "default" / "x", alone.path)
        ]
        assert read[0] == read[1] == list(range(six_tasks.ROWS[split]))
