"""The rows of a whole recipe, with those that an augmentation adds. Knows no model and no run."""

from __future__ import annotations

from pathlib import Path

from tunebook.config import registry
from tunebook.config.schema import Config
from tunebook.data.columns import TaskColumns
from tunebook.data.prepare import PreparedData, prepare


def rows_of(config: Config, task: TaskColumns, cwd: Path | None = None) -> PreparedData:
    """The rows as a recipe's groups dataset, cleaning and augmentation say; see `prepare`."""
    method = registry.load("augmentation", config.augmentation.method)
    data = prepare(config.dataset, task, config.cleaning, cwd)
    if hasattr(method, "add_rows"):
        return method.add_rows(data, config.augmentation.options, config.cleaning)
    return data
