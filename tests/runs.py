"""Whole runs in this process, and a signal in the middle of one; of Tunebook it knows `check`, `run` and the vote."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tunebook.check import check
from tunebook.config.compose import compose
from tunebook.run import RunResult, run
from tunebook.training import callbacks


def go(out: Path, *overrides: str) -> RunResult:
    """Runs what a command with these arguments would, into the folder `out`."""
    return run(check(compose([*overrides, f"run.output_dir={out}"])))


def stop_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SIGTERM during that step."""
    vote = callbacks.StepVote.on_pre_optimizer_step

    def with_signal(self, args, state, control, **kwargs):
        if state.global_step + 1 == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return vote(self, args, state, control, **kwargs)

    monkeypatch.setattr(callbacks.StepVote, "on_pre_optimizer_step", with_signal)
