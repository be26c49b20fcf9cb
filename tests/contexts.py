"""A run's context and Trainer without training: what several tests look into."""

from __future__ import annotations

from pathlib import Path

from tunebook.check import check
from tunebook.config.compose import compose
from tunebook.context import RunContext
from tunebook.run_directory import RunDirectory
from tunebook.session import Session
from tunebook.setup import build_context
from tunebook.training.backbone_cache import enable_cache
from tunebook.training.build import build_trainer
from tunebook.training.processes import Processes
from tunebook.training.trainer import RecipeTrainer


def context_of(folder: Path, *overrides: str, processes: Processes | None = None) -> RunContext:
    """What `run` would build for a command with these arguments; its directory is `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    config = check(compose([*overrides, f"run.output_dir={folder}"]))
    return build_context(Session(config, "test", processes or Processes(use_cpu=True), RunDirectory(folder)))


def trainer_of(context: RunContext, cached: bool = False) -> RecipeTrainer:
    """The Trainer of a context, ready to train."""
    return build_trainer(context, enable_cache(context) if cached else None)
