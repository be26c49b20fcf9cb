"""Whole runs in this process, and a signal in the middle of one; what several tests say of them in common."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests import tiny
from tunebook.check import check
from tunebook.config.compose import compose
from tunebook.run import RunResult, run
from tunebook.training import callbacks
from tunebook.training.trainer import RecipeTrainer


def go(out: Path, *overrides: str) -> RunResult:
    """Runs what a command with these arguments would, into the folder `out`."""
    return run(check(compose([*overrides, f"run.output_dir={out}"])))


def six_steps(folder: Path, *further: str) -> list[str]:
    """Arguments for a run of six steps an epoch, of a tiny BERT that is made in the folder."""
    model = tiny.tiny_text_model("bert", folder / "bert")
    return [
        "model=auto", f"model.name_or_path={model}", "task.max_length=24", "runtime=cpu", "run.name=x",
        "dataset.max_rows={train: 48, validation: 24, test: 24}", "hyperparameters.effective_batch_size=8",
        "hyperparameters.learning_rate=1e-3", "runtime.precision=float32", *further,
    ]  # fmt: skip


def best_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The validation loss is the distance to a step."""
    evaluate = RecipeTrainer.evaluate

    def scripted(self, *args, **kwargs):
        metrics = evaluate(self, *args, **kwargs)
        metrics["eval_loss"] = float(abs(self.state.global_step - step))
        return metrics

    monkeypatch.setattr(RecipeTrainer, "evaluate", scripted)


def stop_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SIGTERM during that step."""
    vote = callbacks.StopSync.on_pre_optimizer_step

    def with_signal(self, args, state, control, **kwargs):
        if state.global_step + 1 == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return vote(self, args, state, control, **kwargs)

    monkeypatch.setattr(callbacks.StopSync, "on_pre_optimizer_step", with_signal)
