"""The story of a run, from a checked configuration to a model, its figures and its report."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm.contrib.logging import logging_redirect_tqdm

from tunebook import callable_module, finish, retention
from tunebook.config.schema import Config
from tunebook.context import RunContext
from tunebook.errors import TunebookError
from tunebook.log import logging_to
from tunebook.run_directory import RunDirectory, opened, path_of
from tunebook.setup import audit_data, build_context
from tunebook.training import build, checkpoints
from tunebook.training.backbone_cache import enable_cache
from tunebook.training.processes import Processes
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
    began = time.monotonic()
    with start(config, command) as (directory, processes):
        if directory.finished:
            return RunResult(directory.path, finish.report_finished(config, directory, processes), trained=False)
        context = build_context(config, command, directory, processes)
        audit = audit_data(context)
        previous = retention.before_training(context)
        cache = enable_cache(context)
        stop = StopWish()
        trainer = build.build_trainer(context, cache, stop, callbacks)
        begin(context, trainer)
        finish.write_findings(context, audit)
        train(context, trainer, stop, began)
        evaluated = finish.evaluate(context, trainer, cache)
        retained = retention.after_training(previous)
        finish.save_model(trainer, directory.model, processes.main)
        if processes.main:
            finish.write(context, trainer, evaluated, retained, seconds_of(directory, began))
        processes.wait()
        return RunResult(directory.path, {split: result.metrics for split, result in evaluated.items()})


@contextlib.contextmanager
def start(config: Config, command: str) -> Iterator[tuple[RunDirectory, Processes]]:
    """The processes of a run, its directory, opened and locked by the main one and known to all, and its log."""
    processes = Processes(bool(config.runtime.use_cpu), int(config.runtime.ddp_timeout or 1800))
    with contextlib.ExitStack() as stack:
        directory: RunDirectory | None = None
        problems = None
        if processes.main:
            try:
                directory = stack.enter_context(opened(config, command, processes.count))
            except TunebookError as error:
                problems = error.problems
                processes.from_main((problems, None))
                raise
        problems, record = processes.from_main((problems, directory.record if directory else None))
        if problems:
            raise TunebookError(problems)
        directory = directory or RunDirectory(path_of(config), record)
        log = stack.enter_context(logging_to(directory.path / "log.txt", processes.main))
        stack.enter_context(logging_redirect_tqdm([log]))
        yield directory, processes


def begin(context: RunContext, trainer: RecipeTrainer) -> None:
    """Say how the run trains, and make room for it; a run that it replaces is deleted now.

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


def train(context: RunContext, trainer: RecipeTrainer, stop: StopWish, began: float) -> None:
    """Train, from the newest whole checkpoint if there is one.

    Raises:
        SystemExit: a signal came; everything up to then is saved.
    """
    directory, processes = context.directory, context.processes
    newest = None
    if processes.main:
        directory.checkpoints.mkdir(parents=True, exist_ok=True)
        newest = checkpoints.newest_whole(directory.checkpoints)
        finish.report_checkpoint(directory, trainer, newest)
    newest = processes.from_main(newest)
    with listening(stop):
        try:
            trainer.train(resume_from_checkpoint=str(newest) if newest else None)
        except Stopped as stopped:
            if processes.main:
                directory.update(status="stopped", seconds_before=seconds_of(directory, began))
                finish.report_stopped(stopped, directory)
            raise SystemExit(stopped.exit_code) from None


def seconds_of(directory: RunDirectory, began: float) -> float:
    """Seconds of this try and of those before it."""
    return float(directory.record.get("seconds_before", 0.0)) + time.monotonic() - began


callable_module(__name__)
