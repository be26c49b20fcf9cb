"""docs/add_a_task.md is taken at its word: its blocks become a package, and its task trains in every way it names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests import tiny
from tests.config.plugins import package
from tests.runs import go, stop_at
from tunebook.check import check
from tunebook.config import registry
from tunebook.config.compose import compose
from tunebook.errors import ConfigurationError

PAGE = (Path(__file__).parents[1] / "docs" / "add_a_task.md").read_text(encoding="utf-8")
BLOCKS = [(match[1], match[2]) for match in re.finditer(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]
(DATA, TASK), (PROJECT,), (RECIPE,) = (
    [text for kind, text in BLOCKS if kind == one] for one in ("python", "toml", "yaml")
)


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    """The folder of the page's data and recipe, with tiny models, while its package is installed."""
    folder = tmp_path_factory.mktemp("counting")
    subprocess.run([sys.executable, "-c", DATA], cwd=folder, check=True)
    (folder / "count_dots.yaml").write_text(RECIPE)
    project = tomllib.loads(PROJECT)["project"]
    site = package(folder / "site", project["name"], project["entry-points"]["tunebook.plugins"], count_objects=TASK)
    for family in ("resnet", "vit"):
        tiny.tiny_image_model(family, folder / family)
    before = os.getcwd()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        registry._entry_points.cache_clear()
        os.chdir(folder)
        yield folder
        os.chdir(before)
    registry._entry_points.cache_clear()
    sys.modules.pop("count_objects", None)


def arguments(family: str, *overrides: str) -> list[str]:
    """Of the page's recipe with a tiny model, without the audit."""
    model = ["model=auto", f"model.name_or_path=./{family}"]
    fixed = [
        "runtime=cpu",
        "runtime.precision=float32",
        "run.name=x",
        "run.audit=false",
        f"runtime.cache_dir={family}-cache",
    ]
    return ["+recipe=./count_dots.yaml", *model, *fixed, *overrides]


def predictions(run) -> list[dict]:
    """The records of the test split."""
    return [json.loads(line) for line in (run.path / "predictions" / "test.jsonl").read_text().splitlines()]


def test_the_task_is_one_short_file():
    assert len([line for line in TASK.splitlines() if line.strip()]) < 60
    assert yaml.safe_load(RECIPE)["task"]["name"] == "count_objects"


def test_it_trains_and_leaves_metrics_predictions_and_a_report(counts):
    run = go(counts / "plain", *arguments("resnet"))
    records = predictions(run)
    assert len(records) == 48
    assert all(record["predicted"] > 0 for record in records)
    errors = np.array([record["predicted"] - record["label"] for record in records])
    assert run.metrics["test"]["mae"] == pytest.approx(np.abs(errors).mean(), rel=1e-5)
    # The mean of the loss exp(z) - count * z, of each row's own prediction.
    losses = [record["predicted"] - record["label"] * np.log(record["predicted"]) for record in records]
    assert [record["loss"] for record in records] == pytest.approx(losses, rel=1e-4, abs=1e-4)
    assert run.metrics["test"]["loss"] == pytest.approx(np.mean(losses), rel=1e-4)
    page = (run.path / "report.html").read_text()
    assert "Counts on test" in page
    assert 'class="plot' in page
    assert (run.model / "config.json").is_file()


def test_a_frozen_backbone_is_cached_and_gives_the_same(counts):
    frozen = ["freezing=head_only", "hyperparameters.learning_rate=1e-2"]
    cached = go(counts / "cached", *arguments("resnet", *frozen))
    plain = go(counts / "uncached", *arguments("resnet", *frozen, "freezing.cache=off"))
    assert any((counts / "resnet-cache").iterdir())
    assert cached.metrics["test"] == pytest.approx(plain.metrics["test"], rel=1e-5)


def test_an_adapter_trains(counts):
    run = go(counts / "lora", *arguments("vit", "adapter=lora"))
    assert (run.path / "adapter" / "adapter_config.json").is_file()
    assert np.isfinite(run.metrics["test"]["rmse"])


def test_a_stopped_run_resumes_to_the_same_end(counts, monkeypatch):
    whole = go(counts / "whole", *arguments("vit"))
    with monkeypatch.context() as patch:
        stop_at(8, patch)
        with pytest.raises(SystemExit):
            go(counts / "stopped", *arguments("vit"))
    resumed = go(counts / "stopped", *arguments("vit"))
    record = json.loads((resumed.path / "run.json").read_text())
    assert record["resumed_from"] == [8]
    assert resumed.metrics == whole.metrics


@pytest.mark.parametrize(("override", "key"), [("loss=mse", "loss.name"), ("task.mots=3", "task.mots")])
def test_what_it_refuses_is_reported_with_its_key(counts, override, key):
    with pytest.raises(ConfigurationError) as error:
        check(compose(arguments("resnet", override)))
    assert [problem.key for problem in error.value.problems] == [key]
