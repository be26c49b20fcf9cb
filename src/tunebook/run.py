"""The story of a run, from a checked configuration to a model, its figures and its report."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm.contrib.logging import logging_redirect_tqdm

from tunebook import files, forgetting, outcome
from tunebook.config.schema import Config
from tunebook.errors import TunebookError
from tunebook.loading import keep, load_data, load_parts, look_at_data, tell_notices
from tunebook.log import logging_to
from tunebook.run_directory import RunDirectory, opened, path_of
from tunebook.training import backbone_cache, build, checkpoints
from tunebook.training.callbacks import StopSync
from tunebook.training.processes import Processes
from tunebook.training.signals import Stopped, listening
from tunebook.training.trainer import RecipeTrainer

logger = logging.getLogger("tunebook")


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


class Session:
    """The clock of one try; a run that was stopped by a signal adds up its tries."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def total(self, directory: RunDirectory) -> float:
        """Seconds of this try and of those before it."""
        return float(directory.record.get("seconds_before", 0.0)) + time.monotonic() - self.began


def run(config: Config, command: str = "tunebook.run(config)") -> RunResult:
    """Train, evaluate and write everything; continue where an earlier try was cut off.

    Args:
        config: a checked configuration (`tunebook.check.check`).
        command: that a user would type for it, for the records.

    Raises:
        TunebookError: a mistake that the user can mend.
        SystemExit: a signal asked the run to stop; it has saved first.
    """
    processes = Processes(bool(config.runtime.use_cpu), int(config.runtime.ddp_timeout or 1800))
    layout = build.layout_of(config, processes.count)
    config = build.with_effective_batch(config, layout)
    with (
        opened_by_main(config, command, processes) as directory,
        logging_to(directory.path / "log.txt", processes.main) as log,
        logging_redirect_tqdm([log]),
    ):
        if directory.finished:
            return finished_before(config, directory, processes)
        session = Session()
        tell_notices(config, processes)
        data = load_data(config, directory, processes)
        data, parts = load_parts(config, data, directory, processes)
        seen = look_at_data(config, data, parts, layout, processes)
        log.info("%s", layout)
        chosen = build.choose_precision(config, processes, directory.record.get("precision"))
        log.info("precision %s, chosen by %s", chosen.name, chosen.chosen_by)
        if processes.main:
            directory.update(precision={"name": chosen.name, "chosen_by": chosen.chosen_by})
        kept = forgetting.before_training(config, parts, layout, chosen, directory, processes)
        trainer = build.build_trainer(config, parts, layout, chosen, directory, processes)
        log.info("%s", "\n".join(trainer.freezing_lines))
        backbone_cache.enable(trainer, config, parts, layout, chosen, processes)
        # On every rank alike, so that all of them stop; the run directory is on a file system that they share.
        averaged = config.regularization.ema is not None
        checkpoints.require_space(directory.path, build.checkpoint_bytes(parts.model, parts.adapted, averaged))
        if processes.main:
            directory.begin()
            keep(config, data, parts, seen, directory)
        train(trainer, directory, processes, session)
        scored = outcome.evaluate(trainer, parts.splits)
        previous = forgetting.after_training(kept)
        outcome.save_model(trainer, directory.model, processes.main)
        if processes.main:
            seconds = session.total(directory)
            outcome.write(config, command, directory, data, parts, trainer, scored, chosen, seconds, previous)
        processes.wait()
        return RunResult(directory.path, {split: result.metrics for split, result in scored.items()})


@contextlib.contextmanager
def opened_by_main(config: Config, command: str, processes: Processes) -> Iterator[RunDirectory]:
    """The run directory, opened and locked by the main process and known to all; its mistakes reach all."""
    with contextlib.ExitStack() as stack:
        found: RunDirectory | TunebookError | None = None
        if processes.main:
            try:
                found = stack.enter_context(opened(config, command, processes.count))
            except TunebookError as error:
                found = error
        shared = processes.from_main(
            None if found is None else found.problems if isinstance(found, TunebookError) else found.record
        )
        if isinstance(found, TunebookError):
            raise found
        if isinstance(shared, list):
            raise TunebookError(shared)
        yield found or RunDirectory(path_of(config), shared)


def finished_before(config: Config, directory: RunDirectory, processes: Processes) -> RunResult:
    """Show what is there; train nothing."""
    metrics = files.read_json(directory.path / "metrics.json")
    if processes.main:
        outcome.tell_finished(config, directory, metrics)
    return RunResult(directory.path, {key: metrics[key] for key in outcome.EVALUATED if key in metrics}, False)


def train(trainer: RecipeTrainer, directory: RunDirectory, processes: Processes, session: Session) -> None:
    """Train, from the newest whole checkpoint if there is one.

    Raises:
        SystemExit: a signal came; everything up to then is saved.
    """
    start = None
    if processes.main:
        directory.checkpoints.mkdir(parents=True, exist_ok=True)
        start = checkpoints.newest_whole(directory.checkpoints)
        outcome.tell_start(directory, trainer, start)
    start = processes.from_main(start)
    with listening() as wish:
        trainer.add_callback(StopSync(processes, wish, trainer.step))
        try:
            trainer.train(resume_from_checkpoint=str(start) if start else None)
        except Stopped as stopped:
            if processes.main:
                directory.update(status="stopped", seconds_before=session.total(directory))
                outcome.tell_stopped(stopped, directory)
            raise SystemExit(stopped.exit_code) from None
