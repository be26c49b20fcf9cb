"""Writes what a model answered, one JSON line a row, in the dataset's order; knows nothing of models."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tunebook.files import writing


def write(
    path: Path,
    rows: np.ndarray,
    predicted: np.ndarray,
    references: np.ndarray,
    label_names: Sequence[str],
    probability: np.ndarray,
    loss: np.ndarray,
) -> None:
    """Writes a predictions file; it appears whole or not at all.

    Args:
        path: the file, for instance `predictions/test.jsonl`; its folder is made when missing.
        rows: number of each row in its source, shape (rows,); the order of all arrays is kept.
        predicted: predicted class numbers, shape (rows,).
        references: labelled class numbers, shape (rows,).
        label_names: names in order of class number.
        probability: probability of the predicted class, 0 to 1, shape (rows,).
        loss: loss of each row, shape (rows,); one that is not finite is written as null.

    Raises:
        ValueError: the arrays differ in shape, or a class number has no name.
    """
    columns = {"rows": rows, "predicted": predicted, "references": references}
    columns |= {"probability": probability, "loss": loss}
    shapes = {name: np.shape(column) for name, column in columns.items()}
    if len(set(shapes.values())) != 1 or len(np.shape(rows)) != 1:
        raise ValueError(f"all columns must have one equal shape (rows,), not {shapes}")
    for name in ("predicted", "references"):
        if len(rows) and not 0 <= np.min(columns[name]) <= np.max(columns[name]) < len(label_names):
            raise ValueError(f"{name} holds class numbers outside 0 to {len(label_names) - 1}")
    with writing(path) as file:
        for row, guess, truth, sure, cost in zip(*columns.values(), strict=True):
            file.write(_line(int(row), int(guess), int(truth), label_names, float(sure), float(cost)))


def _line(row: int, guess: int, truth: int, names: Sequence[str], sure: float, cost: float) -> str:
    record = {
        "row": row,
        "label": names[truth],
        "predicted": names[guess],
        "probability": _rounded(sure),
        "loss": _rounded(cost),
        "correct": guess == truth,
    }
    return json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"


def _rounded(value: float) -> float | None:
    # JSON has no NaN; seven significant digits are all that float32 holds.
    return float(f"{value:.7g}") if math.isfinite(value) else None
