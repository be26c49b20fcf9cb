"""Writes what a model predicted, one JSON line a row, in the dataset's order; knows nothing of models."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook.files import writing

if TYPE_CHECKING:
    from tunebook.tasks.base import Evaluated, Task


def write(path: Path, task: Task, evaluated: Evaluated) -> None:
    """Writes a predictions file by the task's `record`; it appears whole or not at all, its folder is made."""
    with writing(path) as file:
        for record in records(task, evaluated):
            file.write(json.dumps(_plain(record), ensure_ascii=False, allow_nan=False) + "\n")


def records(task: Task, evaluated: Evaluated) -> Iterator[dict[str, Any]]:
    """One record a row: its number, `task.record`, and its loss."""
    rows = evaluated.rows["row"][:]
    for at, position in enumerate(evaluated.positions.tolist()):
        prediction, reference = evaluated.predictions[at], evaluated.references[at]
        record = task.record(prediction, reference, evaluated.targets, evaluated.decision)
        yield {"row": int(rows[position]), **record, "loss": float(evaluated.losses[at])}


def _plain(value: Any) -> Any:
    """Numbers as JSON has them: no NaN, and the seven significant digits that float32 holds."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    return value
