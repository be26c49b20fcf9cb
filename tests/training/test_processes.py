"""Processes end cleanly: nothing of gloo is alive when the interpreter ends."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
def test_no_thread_of_the_group_outlives_a_trainer_in_a_cycle():
    worker = Path(__file__).with_name("processes_worker.py")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone", str(worker)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[:6000]
    assert [line for line in done.stdout.splitlines() if line] == ["left: []", "left: []"]
