"""The rows of a whole recipe, with those that an augmentation adds. Knows no model and no run."""

from __future__ import annotations

from pathlib import Path

from tunebook.config import registry
from tunebook.config.schema import Config
from tunebook.data.prepare import PreparedData, prepare


def rows_of(config: Config, cwd: Path | None = None) -> PreparedData:
    """Load, clean and split the rows as a recipe says.

    Args:
        config: its groups task, dataset, cleaning and augmentation.
        cwd: where relative paths start; default: the working folder.

    Raises:
        DataError: the rows cannot be used.
        NothingReached: the Hub is needed and cannot be reached.
    """
    module = registry.load("task", config.task.name)
    kind = module.Task(config.task.options).answer.kind
    method = registry.load("augmentation", config.augmentation.method)
    data = prepare(config.dataset, module.ROLES, config.cleaning, kind, cwd=cwd)
    if hasattr(method, "add_rows"):
        return method.add_rows(data, config.augmentation.options, config.cleaning)
    return data
