"""The closing table, the wording of numbers and the record of the machine."""

from __future__ import annotations

import platform
import sys

import numpy
import pytest
import torch

from tunebook.reporting import run_record
from tunebook.reporting.formatting import clock, figure
from tunebook.reporting.tables import closing_table

METRICS = {"validation": {"loss": 0.5, "accuracy": 0.87654}, "test": {"accuracy": 0.8, "mcc[x]": 0.25}}


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (59.6, "1:00"), (61.4, "1:01"), (3599.4, "59:59"), (3725, "1:02:05")]
)
def test_clock(seconds, shown):
    assert clock(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0.87654, "0.8765"), (0.0, "0.0000"), (1e-5, "1.00e-05"), (float("nan"), "nan")]
)
def test_figure(value, shown):
    assert figure(value) == shown


def test_closing_table(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "report.html").touch()
    shown = closing_table(METRICS, 323.2, tmp_path)
    assert "\x1b" not in shown
    assert [line for line in shown.splitlines() if "accuracy" in line][0].split()[1:6:2] == [
        "accuracy",
        "0.8765",
        "0.8000",
    ]
    # Metric names and paths are not read as markup, and only what exists is promised.
    for said in ["validation", "test", "mcc[x]", "–", "5:23", "model/", "report.html"]:
        assert said in shown
    assert "metrics.json" not in shown
    assert all(line == line.rstrip() for line in shown.splitlines())


def test_closing_table_shows_what_the_thresholds_change(tmp_path):
    shown = closing_table({"test": {"f1": 0.75}}, 1, tmp_path, {"test": {"f1": 0.5}})
    assert "test without thresholds" in shown
    assert [line.split()[3:6:2] for line in shown.splitlines() if "f1" in line] == [["0.7500", "0.5000"]]


def test_closing_table_keeps_a_long_path_whole(tmp_path):
    folder = tmp_path / ("long-" * 30)
    assert str(folder) in closing_table({}, 1, folder).replace("\n", "")


def test_colour_on_a_terminal_only(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "\x1b[" in closing_table(METRICS, 1, tmp_path)


def test_versions_are_the_installed_ones():
    found = run_record.versions()
    assert found["python"] == platform.python_version()
    assert found["numpy"] == numpy.__version__
    assert found["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert {"transformers", "datasets", "accelerate", "evaluate", "hydra-core", "scikit-learn"} <= set(found)


def test_a_package_that_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.setattr(run_record, "PACKAGES", ("numpy", "no-such-package-at-all"))
    assert set(run_record.versions()) == {"python", "numpy"}


def test_hardware_and_memory():
    facts = run_record.hardware()
    assert facts["cpu"]
    assert facts["cores"] >= 1
    assert facts["memory_gb"] > 0.1
    assert len(facts["gpus"]) == torch.cuda.device_count()
    before = run_record.peak_memory_mb()["process"]
    # torch alone takes more than this; a wrong unit would be off by a thousand.
    assert 50 < before < 200_000
