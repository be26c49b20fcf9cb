"""The story of a run, from a checked configuration to a model, its figures and its report."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.contrib.logging import logging_redirect_tqdm

from tunebook import files, outcome
from tunebook.config import registry
from tunebook.config.schema import Config
from tunebook.data.prepare import PreparedData, prepare
from tunebook.data.sampling.base import TrainLabels
from tunebook.errors import DataError, Problem, TunebookError
from tunebook.log import logging_to
from tunebook.modeling.apply import apply_freezing
from tunebook.modeling.load import load_model
from tunebook.run_directory import RunDirectory, opened, path_of
from tunebook.training import build, checkpoints
from tunebook.training.callbacks import StepVote
from tunebook.training.processes import Processes
from tunebook.training.rows import TrainRows, Varied
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
        data = load_data(config, directory, processes)
        parts = load_parts(config, data, processes)
        log.info("%s", layout)
        chosen = build.choose_precision(config, parts, layout, processes, directory.record.get("precision"))
        log.info("precision %s, chosen by %s", chosen.name, chosen.chosen_by)
        if processes.main:
            directory.update(precision={"name": chosen.name, "chosen_by": chosen.chosen_by})
        trainer = build.build_trainer(config, parts, layout, chosen, directory, processes)
        train(trainer, parts, directory, processes, session)
        scored = outcome.evaluate(trainer, parts.splits)
        outcome.save_model(trainer, directory.model, processes.main)
        if processes.main:
            outcome.write(config, command, directory, data, parts, trainer, scored, chosen, session.total(directory))
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


def load_data(config: Config, directory: RunDirectory, processes: Processes) -> PreparedData:
    """Load, clean, split and check the rows; a run that is continued must find the same ones."""
    module = registry.load("task", config.task.name)
    answer = module.Task(config.task.options).answer
    with processes.main_first():
        data = prepare(config.dataset, module.ROLES, config.cleaning, answer.kind)
    before = directory.record.get("data", {}).get("fingerprints")
    if before is not None and before != data.fingerprints:
        changed = [split for split in data.fingerprints if before.get(split) != data.fingerprints[split]]
        message = (
            f"the data of {', '.join(changed)} has changed since this run began; give the run another run.name, "
            "or run.overwrite=true to start it anew"
        )
        raise DataError(message)
    stated: dict[Any, str] = {**(config.dataset.fingerprints or {})}
    if other := [split for split, digest in data.fingerprints.items() if stated.get(split, digest) != digest]:
        message = f"differ from those of the run that the recipe was frozen from: {', '.join(other)}"
        raise DataError(Problem("dataset.fingerprints", f"the rows {message}; take the key out to train all the same"))
    if "validation" not in data.splits and config.hyperparameters.eval_strategy not in {None, "no"}:
        message = (
            "there is none, and evaluations were asked for: give dataset.validation, carve one with "
            "dataset.split.validation=0.1, or set hyperparameters.eval_strategy=no "
            "hyperparameters.load_best_model_at_end=false"
        )
        raise DataError(Problem("validation split", message))
    if processes.main:
        rows = {split: len(part) for split, part in data.splits.items()}
        counts = ", ".join(f"{count:,} {split}" for split, count in rows.items())
        names = ", ".join(data.label_names[:10]) + (f", … ({len(data.label_names)})" if data.label_names[10:] else "")
        logger.info("rows: %s; labels: %s", counts, names)
        directory.update(data={"fingerprints": data.fingerprints, "rows": rows, "labels": data.label_names})
    return data


def load_parts(config: Config, data: PreparedData, processes: Processes) -> build.Parts:
    """The model with its processor, the encoded splits, how they are drawn and varied, and what is frozen."""
    task = registry.load("task", config.task.name).Task(config.task.options)
    answer, seed = task.answer, config.hyperparameters.seed
    with processes.main_first():
        loaded = load_model(config.model, task.auto_class, data.label_names, answer.problem_type, seed=seed)
        processor = task.load_processor(config.model)
        splits = {name: task.encode(split, processor, loaded.model) for name, split in data.splits.items()}
    train = data.splits["train"]
    labels = TrainLabels(answer.kind, tuple(data.label_names), np.asarray(train["label"]))
    method = registry.load("augmentation", config.augmentation.method)
    augmentation = method.Augmentation(config.augmentation.options, seed)
    varied = Varied(train, augmentation, task, processor, loaded.model.config) if augmentation.active else None
    sampling = registry.load("sampling", config.sampling.method).Sampling(config.sampling.options, labels)
    freezing, frozen = apply_freezing(loaded.model, config.freezing)
    return build.Parts(
        task=task,
        model=loaded.model,
        processor=processor,
        splits=splits,
        train_rows=TrainRows(splits["train"], data.weights, varied),
        labels=labels,
        sampling=sampling,
        loss=build.loss_of(config, answer, labels),
        freezing=freezing,
        frozen=frozen,
    )


def train(
    trainer: RecipeTrainer, parts: build.Parts, directory: RunDirectory, processes: Processes, session: Session
) -> None:
    """Train, from the newest whole checkpoint if there is one.

    Raises:
        SystemExit: a signal came; everything up to then is saved.
    """
    # On every rank alike, so that all of them stop; the run directory is on a file system that they share.
    checkpoints.require_space(directory.path, build.checkpoint_bytes(parts.model))
    start = None
    if processes.main:
        directory.begin()
        directory.checkpoints.mkdir(parents=True, exist_ok=True)
        start = checkpoints.newest_whole(directory.checkpoints)
        outcome.tell_start(directory, trainer, start)
    start = processes.from_main(start)
    with listening() as wish:
        trainer.add_callback(StepVote(processes, wish, trainer.step))
        try:
            trainer.train(resume_from_checkpoint=str(start) if start else None)
        except Stopped as stopped:
            if processes.main:
                directory.update(status="stopped", seconds_before=session.total(directory))
                outcome.tell_stopped(stopped, directory)
            raise SystemExit(stopped.exit_code) from None
