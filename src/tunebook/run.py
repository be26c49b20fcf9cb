"""The story of a run, from a checked configuration to a model, its figures and its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook import callable_module, finish, retention
from tunebook.config.schema import Config
from tunebook.context import RunContext
from tunebook.run_audit import audit_data
from tunebook.session import Session
from tunebook.setup import build_context
from tunebook.training import build, checkpoints
from tunebook.training.backbone_cache import enable_cache
from tunebook.training.signals import Stopped, StopWish, listening
from tunebook.training.trainer import RecipeTrainer


@dataclass(frozen=True)
class RunResult:
    """What a run came to.

    Args:
        path: of the run directory.
        metrics: split -> metric -> value.
        trained: False when the run had been finished before.
    """

    path: Path
    metrics: dict[str, dict[str, float]]
    trained: bool = True

    @property
    def model(self) -> Path:
        """Load it with `transformers.pipeline(task, model)`."""
        return self.path / "model"


def run(config: Config, command: str = "tunebook.run(config)", callbacks: Sequence[Any] = ()) -> RunResult:
    """Train, evaluate and write everything; continue where an earlier try was cut off.

    Args:
        config: a checked configuration (`tunebook.check.check`).
        command: that a user would type for it, for the records.
        callbacks: of transformers, added to the run's own.

    Raises:
        TunebookError: a mistake that the user can fix.
        SystemExit: a signal asked the run to stop; it has saved first.
    """
    with Session.start(config, command) as session:
        if session.directory.finished:
            return RunResult(session.directory.path, finish.report_finished(session), trained=False)
        context = build_context(session)
        audit = audit_data(context)
        previous = retention.before_training(context)
        cache = enable_cache(context)
        stop = StopWish()
        trainer = build.build_trainer(context, cache, stop, callbacks)
        begin(context, trainer)
        finish.write_findings(context, audit)
        try:
            train(context, trainer, stop)
        finally:
            finish.draw_audit(context, audit)
        evaluated = finish.evaluate(context, trainer, cache)
        retained = retention.after_training(previous)
        finish.save_model(context, trainer)
        if context.main:
            finish.write(context, trainer, evaluated, retained)
        context.processes.wait()
        return RunResult(context.directory.path, {split: result.metrics for split, result in evaluated.items()})


def begin(context: RunContext, trainer: RecipeTrainer) -> None:
    """Log how the run trains, and make room for it; a run that it replaces is deleted now.

    Raises:
        RunDirectoryError: there is too little space for a checkpoint.
    """
    finish.report_start(context)
    averaged = bool(trainer.regularized.averages)
    # On every rank alike, so that all of them stop; the run directory is on a file system that they share.
    wanted = build.checkpoint_bytes(context.model, context.adapted, averaged)
    checkpoints.require_space(context.directory.path, wanted)
    if context.main:
        context.directory.begin()


def train(context: RunContext, trainer: RecipeTrainer, stop: StopWish) -> None:
    """Train, from the newest whole checkpoint if there is one.

    Raises:
        SystemExit: a signal came; everything up to then is saved.
    """
    directory = context.directory
    newest = None
    if context.main:
        directory.checkpoints.mkdir(parents=True, exist_ok=True)
        newest = checkpoints.newest_whole(directory.checkpoints)
        finish.report_checkpoint(directory, trainer, newest)
    newest = context.processes.from_main(newest)
    with listening(stop):
        try:
            trainer.train(resume_from_checkpoint=str(newest) if newest else None)
        except Stopped as stopped:
            if context.main:
                directory.update(status="stopped", seconds_before=context.session.seconds)
                finish.report_stopped(stopped, directory)
            raise SystemExit(stopped.exit_code) from None


callable_module(__name__)
