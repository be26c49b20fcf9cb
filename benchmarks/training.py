"""Drives Tunebook's own training from a benchmark, step for step as `tunebook.run` does, but without saving."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import datasets
from transformers import TrainerCallback

from tunebook import run as story
from tunebook.check import check
from tunebook.config.compose import compose
from tunebook.config.schema import Config
from tunebook.run_directory import RunDirectory
from tunebook.training import build
from tunebook.training.batches import BatchLayout
from tunebook.training.callbacks import StopSync
from tunebook.training.precision import Precision
from tunebook.training.processes import Processes
from tunebook.training.signals import listening
from tunebook.training.trainer import RecipeTrainer

NOTHING_ASIDE = [
    "runtime=cpu",
    "runtime.save_strategy='no'",
    "hyperparameters.eval_strategy='no'",
    "hyperparameters.load_best_model_at_end=false",
]


@dataclass(frozen=True)
class Ready:
    """A recipe with its data and model loaded, from which Trainers can be built."""

    config: Config
    parts: build.Parts
    layout: BatchLayout
    directory: RunDirectory
    processes: Processes

    def trainer(self) -> RecipeTrainer:
        """A new Trainer, in float32."""
        precision = Precision("float32", "the benchmark")
        return build.build_trainer(self.config, self.parts, self.layout, precision, self.directory, self.processes)

    def train(self, trainer: RecipeTrainer, *callbacks: TrainerCallback) -> None:
        """Train as a run does: with the vote before each step, listening for signals, history and progress."""
        with listening() as wish:
            trainer.add_callback(StopSync(self.processes, wish, trainer.step))
            for callback in callbacks:
                trainer.add_callback(callback)
            trainer.train()


@contextmanager
def loaded(overrides: list[str], folder: Path) -> Iterator[Callable[..., Ready]]:
    """Something that loads a recipe's data and model; the log goes to a file in `folder`."""
    log = logging.getLogger("tunebook")
    handler = logging.FileHandler(folder / "log.txt", encoding="utf-8")
    before = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    datasets.disable_progress_bars()

    def load(*more: str) -> Ready:
        said = [*overrides, *NOTHING_ASIDE, *more, f"run.output_dir={folder / 'outputs'}"]
        config = check(compose(said))
        processes = Processes(use_cpu=True)
        with story.opened_by_main(config, "a benchmark", processes) as directory:
            data = story.load_data(config, directory, processes)
            data, parts = story.load_parts(config, data, directory, processes)
        return Ready(config, parts, build.layout_of(config, processes.count), directory, processes)

    try:
        yield load
    finally:
        log.removeHandler(handler)
        handler.close()
        log.level, log.propagate = before
