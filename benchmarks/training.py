"""Drives Tunebook's own training from a benchmark, step for step as `tunebook.run` does, but without saving."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import datasets
from transformers import TrainerCallback

from tunebook.check import check
from tunebook.config.compose import compose
from tunebook.context import RunContext
from tunebook.session import Session
from tunebook.setup import build_context
from tunebook.training.backbone_cache import BackboneCache
from tunebook.training.build import build_trainer
from tunebook.training.signals import StopWish, listening
from tunebook.training.trainer import RecipeTrainer

NOTHING_ASIDE = [
    "runtime=cpu",
    "runtime.save_strategy='no'",
    "hyperparameters.eval_strategy='no'",
    "hyperparameters.load_best_model_at_end=false",
]


def trainer_of(
    context: RunContext, *callbacks: TrainerCallback, cache: BackboneCache | None = None
) -> tuple[RecipeTrainer, StopWish]:
    """A Trainer as a run has it: with the vote before each step, history and progress; and what stops it."""
    stop = StopWish()
    return build_trainer(context, cache, stop, callbacks), stop


def train(trainer: RecipeTrainer, stop: StopWish) -> None:
    """Train, listening for signals."""
    with listening(stop):
        trainer.train()


@contextmanager
def loaded(overrides: list[str], folder: Path) -> Iterator[Callable[..., RunContext]]:
    """Something that loads a recipe's data and model; the log goes to a file in `folder`."""
    log = logging.getLogger("tunebook")
    handler = logging.FileHandler(folder / "log.txt", encoding="utf-8")
    before = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    datasets.disable_progress_bars()

    def load(*more: str) -> RunContext:
        said = [*overrides, *NOTHING_ASIDE, "runtime.precision=float32", *more, f"run.output_dir={folder / 'outputs'}"]
        config = check(compose(said))
        with Session.start(config, "a benchmark") as session:
            return build_context(session)

    try:
        yield load
    finally:
        log.removeHandler(handler)
        handler.close()
        log.level, log.propagate = before
