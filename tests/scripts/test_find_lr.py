"""scripts/find_lr.py as a user types it: mistakes like run.py's, a table, and files where it says they are."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import tiny
from tests.commands import typed
from tests.test_two_processes import LAUNCHERS

ROOT = Path(__file__).parents[2]
PROGRAM = "scripts/find_lr.py"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    folder = tiny.tiny_text_model("bert", tmp_path_factory.mktemp("model") / "bert")
    return [
        "+recipe=bert_sentiment", "model=auto", f"model.name_or_path={folder}", "task.max_length=16", "runtime=cpu",
        "dataset.max_rows={train: 64, validation: 16, test: 16}", "hyperparameters.effective_batch_size=8",
        "runtime.precision=float32",
    ]  # fmt: skip


def start(folder, *arguments, launcher=(sys.executable,)):
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    return subprocess.Popen(
        [*launcher, PROGRAM, *arguments, f"run.output_dir={folder}"],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finished(process):
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    return said


def test_mistakes_are_told_without_the_libraries():
    cases = {
        "--strat=1": "settings are written without dashes",
        "--steps=many": "invalid int value: 'many'",
        "--steps=3": "must be at least 20",
        "--start=5 --end=1": "must rise from a rate above 0: --start 5 --end 1",
        "hyperparameters.lerning_rate=1": "did you mean learning_rate?",
        "--help": "--phase N",
    }
    outcomes = typed([{"program": PROGRAM, "arguments": text.split()} for text in cases])
    for (text, words), outcome in zip(cases.items(), outcomes, strict=True):
        told = " ".join(outcome["output"].split())
        assert words in told
        assert outcome["code"] == (0 if text == "--help" else 2)
        assert not outcome["imported"]
        assert "Traceback" not in told


def test_the_curve_lies_where_it_says_and_no_run_begins(recipe, tmp_path):
    said = finished(start(tmp_path, *recipe, "--steps", "30", "--start", "1e-5"))
    folder = tmp_path / "bert_sentiment" / "lr-finder"
    assert sorted(path.name for path in folder.iterdir()) == ["lr_finder.html", "lr_finder.json"]
    assert [path.name for path in folder.parent.iterdir()] == ["lr-finder"]
    found = json.loads((folder / "lr_finder.json").read_text())
    assert 10 < len(found["curve"]) <= 30
    assert found["curve"][0]["learning_rate"] == pytest.approx(1e-5)
    for rate in found["suggestions"].values():
        assert f"{rate:.1e}" in said
    assert "<svg" in (folder / "lr_finder.html").read_text()
    assert str(folder / "lr_finder.html") in said


def test_two_processes_measure_what_one_does(recipe, tmp_path):
    wanted = [*recipe, "--steps", "20", "--from", "1e-6", "--end", "1e-2", "task.max_length=8"]
    finished(start(tmp_path / "one", *wanted))
    said = finished(start(tmp_path / "two", *wanted, launcher=LAUNCHERS["torchrun"]))
    assert said.count("The sweep ended") == 1
    one, two = (
        json.loads((tmp_path / name / "bert_sentiment/lr-finder/lr_finder.json").read_text())["curve"]
        for name in ("one", "two")
    )
    assert len(one) == len(two)
    # Dropout draws otherwise in each process.
    assert [step["loss"] for step in one] == pytest.approx([step["loss"] for step in two], abs=0.05)


def test_it_can_be_interrupted(recipe, tmp_path):
    process = start(tmp_path, *recipe, "--steps", "20000")
    lines = []
    while "the learning rate rises" not in "".join(lines):
        lines.append(process.stdout.readline())
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    said = "".join(lines) + process.communicate(timeout=60)[0]
    assert process.returncode == 130, said
    assert "Interrupted. Nothing was written." in said
    assert "Traceback" not in said
    assert not list(tmp_path.rglob("lr_finder*"))
