"""The benchmark of streaming runs at its smallest and prints its ratios; how large they are, no test says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_streaming_prints_its_ratios():
    command = [sys.executable, str(ROOT / "benchmarks" / "streaming.py"), "--rows", "1500", "--factor", "2"]
    # From the root's parent: a benchmark finds its files wherever it is started.
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=ROOT.parent, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = re.findall(r"^peak memory, (.+): [\d.]+", done.stdout, re.MULTILINE)
    assert found == ["3,000 rows streamed / 1,500 rows streamed", "1,500 rows loaded whole / streamed"]
    assert re.search(r"streamed +3,000 rows: +\d+ MiB", done.stdout)
