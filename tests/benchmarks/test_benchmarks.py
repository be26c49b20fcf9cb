"""Every benchmark runs with its smallest settings and prints its ratio; how fast it is, no test says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RATIO = re.compile(r"^(?P<name>.+): [\d.]+ \(median of 1 pair, ", re.MULTILINE)


def printed(name: str, *flags: str, pairs: tuple[str, ...] = ("--pairs", "1")) -> str:
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), *pairs, *flags]
    # From the root's parent: a benchmark finds its files wherever it is started.
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT.parent, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_overhead_prints_its_ratio_for_equal_work():
    said = printed("overhead", "--tiny", "--steps", "2")
    assert [found["name"].partition(",")[0] for found in RATIO.finditer(said)] == [
        "training step",
        "the same in processor time",
    ]
    assert "largest difference of any weight afterwards: 0.0e+00" in said


@pytest.mark.slow
def test_padding_prints_its_ratio():
    said = printed("padding", "--tiny", "--steps", "2")
    assert len(RATIO.findall(said)) == 1
    assert re.search(r"\b64 (SST-2 sentences|shipped reviews)", said)


@pytest.mark.slow
def test_startup_prints_its_ratios_and_that_nothing_heavy_was_imported():
    said = printed("startup", "--tiny")
    names = [found["name"].strip() for found in RATIO.finditer(said)]
    assert names == [
        "python run.py --cfg job / import torch, transformers",
        "the same in processor time",
        "import tunebook.run / import torch, transformers",
        "the same in processor time",
        "a run of a tiny BERT up to its first step / a bare script",
        "the same in processor time",
    ]
    assert "imported 0 modules of" in said


@pytest.mark.slow
def test_audit_prints_its_ratio():
    said = printed("audit_time", "--tiny", "--rows", "300")
    assert [found["name"] for found in RATIO.finditer(said)] == ["audit / tokenising once"]
    assert "  300 rows (rows made of the shipped reviews): what cleaning looks for " in said


@pytest.mark.slow
def test_cache_prints_its_ratios_for_equal_ends():
    said = printed("cache", "--tiny", "--rows", "40", "--epochs", "2")
    assert [found["name"].partition(",")[0] for found in RATIO.finditer(said)] == [
        "training freezing=head_only",
        "the same in processor time",
        "without the cache / with states that were there",
    ]
    assert float(re.search(r"largest difference of any metric afterwards: (\S+);", said)[1]) < 1e-5


@pytest.mark.slow
def test_data_memory_prints_its_ratio():
    assert "RssAnon ratio " in printed("data_memory", "--tiny", pairs=())


def test_every_benchmark_that_make_runs_is_tested():
    run = set(re.findall(r"benchmarks/(\w+)\.py", (ROOT / "Makefile").read_text(encoding="utf-8")))
    tested = set(re.findall(r'printed\("(\w+)"', Path(__file__).read_text(encoding="utf-8")))
    assert run == {"audit_time", "cache", "overhead", "padding", "startup"}
    assert tested == run | {"data_memory"}
