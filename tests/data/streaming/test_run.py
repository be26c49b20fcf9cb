"""Whole runs over a stream, as a user starts them: finished, stopped and continued, broken in the middle."""

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

ROOT = Path(__file__).parents[3]
ROWS = 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A tiny BERT, training rows in two files (two of them without a text), and validation."""
    folder = tmp_path_factory.mktemp("streamed")
    tiny.tiny_text_model("bert", folder / "bert")
    draw, words = random.Random(0), [word for word in " ".join(tiny.SENTENCES).split() if word != ","]
    rows = [[" ".join(draw.choices(words, k=draw.randint(3, 12))) + f" {at}", "ab"[at % 2]] for at in range(ROWS)]
    rows[7][0] = rows[100][0] = ""
    for name, part in {"1.csv": rows[:70], "2.csv": rows[70:], "validation.csv": rows[10:30]}.items():
        (folder / name).write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in part))
    return folder


def command(folder: Path, out: Path, *overrides: str) -> list[str]:
    return [
        sys.executable, str(ROOT / "run.py"), "dataset=files", f"dataset.train={folder}/?.csv",
        f"dataset.validation={folder}/validation.csv", "dataset.labels=[a,b]", "dataset.streaming=true",
        "dataset.streaming_buffer=30", "cleaning.missing=drop", "hyperparameters.max_steps=24", "model=auto",
        f"model.name_or_path={folder}/bert", "task.max_length=24", "hyperparameters.effective_batch_size=12",
        "hyperparameters.per_device_train_batch_size=6", "hyperparameters.learning_rate=1e-3",
        "hyperparameters.eval_strategy=steps", "hyperparameters.eval_steps=4", "runtime=cpu",
        "runtime.precision=float32", "runtime.logging_steps=1", f"run.output_dir={out}", "run.name=x", *overrides,
    ]  # fmt: skip


def start(arguments: list[str]) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(
        arguments, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(arguments: list[str]) -> tuple[int, str]:
    process = start(arguments)
    said, _ = process.communicate(timeout=300)
    return process.returncode, said


def history(run: Path) -> list[dict]:
    lines = (run / "history.jsonl").read_text().splitlines() if (run / "history.jsonl").exists() else []
    return [json.loads(line) for line in lines]


def test_a_stopped_run_goes_on_to_the_same_weights(folder, tmp_path):
    whole, stopped = tmp_path / "a" / "default" / "x", tmp_path / "b" / "default" / "x"
    code, said = finish(command(folder, tmp_path / "a"))
    assert code == 0, said
    assert "streamed training rows are not looked through for duplicates" in said
    process = start(command(folder, tmp_path / "b"))
    while process.poll() is None and sum("loss" in entry for entry in history(stopped)) < 14:
        time.sleep(0.001)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, said
    code, said = finish(command(folder, tmp_path / "b"))
    assert code == 0, said
    assert "resuming after step" in said
    ours, theirs = (load_file(run / "model" / "model.safetensors") for run in (stopped, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    losses = [[entry["loss"] for entry in history(run) if "loss" in entry] for run in (stopped, whole)]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 24
    dropped = [json.loads(line)["row"] for line in (whole / "dropped.jsonl").read_text().splitlines()]
    assert dropped == [7, 100]
    assert json.loads((whole / "metrics.json").read_text())["validation"]["loss"] > 0


def test_a_broken_line_in_the_middle_is_told_with_its_line_and_no_traceback(folder, tmp_path):
    lines = (folder / "1.csv").read_text().splitlines()
    (tmp_path / "3.csv").write_text("\n".join([*lines, "one,two,three", *lines[1:]]) + "\n")
    (tmp_path / "bert").symlink_to(folder / "bert")
    (tmp_path / "validation.csv").write_text((folder / "validation.csv").read_text())
    code, said = finish(command(tmp_path, tmp_path))
    assert code == 2, said
    assert "3.csv   line 72 has 3 cells, and there are 2 columns, by comma" in said
    assert "training from the start" in said
    assert "Traceback" not in said


def test_an_unknown_label_in_the_middle_is_told_likewise(folder, tmp_path):
    lines = (folder / "1.csv").read_text().splitlines()
    (tmp_path / "3.csv").write_text("\n".join([*lines, "a word,c", *lines[1:]]) + "\n")
    (tmp_path / "bert").symlink_to(folder / "bert")
    (tmp_path / "validation.csv").write_text((folder / "validation.csv").read_text())
    code, said = finish(command(tmp_path, tmp_path))
    assert code == 2, said
    assert "(3.csv, line 72)   row 70 (counted from 0) has the label 'c', which dataset.labels does not name" in said
    assert "Traceback" not in said
