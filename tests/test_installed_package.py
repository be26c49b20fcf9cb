"""A package that pip installs brings a task, a loss and a metric, and a recipe uses them by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.runs import six_steps

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "moods"
version = "0.3"

[project.entry-points."tunebook.plugins"]
"task.moods" = "moods.task"
"loss.hinge" = "moods.hinge"
"metric.share_right" = "moods.share_right"
"""
MODULES = {
    "__init__": "",
    "task": "from tunebook.tasks.text_classification import *\n",
    "hinge": """
from tunebook.training.losses.base import LossOptions

TARGETS = {"single_label"}


class Options(LossOptions):
    margin: float = 1.0


class Loss:
    def __init__(self, options, labels, label_smoothing=0.0):
        self.margin = options.margin

    def __call__(self, logits, labels):
        from torch.nn import functional

        return functional.multi_margin_loss(logits.float(), labels, margin=self.margin, reduction="none")
""",
    "share_right": """
GREATER_IS_BETTER = True
TARGETS = {"single_label"}


def compute(predictions, references, **kwargs):
    return sum(int(a == b) for a, b in zip(predictions, references)) / len(references)
""",
}
RECIPE = """# @package _global_
# Moods of texts, with a task, a loss and a metric of an installed package.
task: {{name: moods, metrics: [{metrics}]}}
loss: {{name: hinge, margin: 0.5}}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A fresh virtual environment that has the package, and everything that this one has."""
    folder = tmp_path_factory.mktemp("installed")
    package = folder / "package"
    (package / "moods").mkdir(parents=True)
    (package / "pyproject.toml").write_text(PROJECT)
    for name, source in MODULES.items():
        (package / "moods" / f"{name}.py").write_text(source)
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = venv / "bin" / "python"
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    (Path(site) / "outer.pth").write_text(f"{ROOT / 'src'}\n{sysconfig.get_paths()['purelib']}\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", str(package)]
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    subprocess.run([*pip, *offline], check=True)
    return python, site


def trained(installed, folder, metrics):
    """The folder of a run of the recipe, in the environment that has the package."""
    python, _ = installed
    arguments = [text for text in six_steps(folder) if not text.startswith("hyperparameters.learning_rate")]
    (folder / "moods.yaml").write_text(RECIPE.format(metrics=metrics))
    command = [python, ROOT / "run.py", "+recipe=./moods.yaml", *arguments]
    command += ["hyperparameters.num_train_epochs=1", "run.audit=false", "runtime.logging_steps=1"]
    environment = {**os.environ, "PYTHONPATH": "", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [*map(str, command)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (run,) = folder.glob("outputs/*/x")
    return run


def test_pip_installs_it_beside_tunebook(installed):
    _, site = installed
    assert (Path(site) / "moods").is_dir()
    assert list(Path(site).glob("moods-0.3.dist-info/entry_points.txt"))


def test_its_task_and_loss_train(installed, tmp_path):
    run = trained(installed, tmp_path, "accuracy")
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    # With a margin of 0.5 two classes that are equally likely lose a quarter.
    assert history[0]["loss"] == pytest.approx(0.25, abs=0.05)


def test_its_metric_is_measured_by_name(installed, tmp_path):
    pytest.importorskip("tunebook.evaluation.tunebook_metrics.table")
    run = trained(installed, tmp_path, "share_right, accuracy")
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["validation"]["share_right"] == metrics["validation"]["accuracy"]
