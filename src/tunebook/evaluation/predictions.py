"""Writes what a model answered, one JSON line a row, in the dataset's order; knows nothing of models."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tunebook.answers.base import Answer
from tunebook.files import writing


def write(
    path: Path,
    rows: Sequence[int],
    scores: np.ndarray,
    labels: np.ndarray,
    answer: Answer,
    names: list[str],
    thresholds: Mapping[int, float] | None = None,
) -> None:
    """Writes a predictions file; it appears whole or not at all.

    Args:
        path: the file, for instance `predictions/test.jsonl`; its folder is made when missing.
        rows: number of each row in its source; the order of all is kept.
        scores: (rows, k), as the answer's `row_scores`; a loss that is not finite is written as null.
        labels: (rows,) or (rows, labels), as the answer's kind is.
        answer: the kind of label.
        names: of the labels, in the order of their ids.
        thresholds: label id to threshold; None: 0.5, or the likeliest class.

    Raises:
        ValueError: rows, scores and labels differ in number.
    """
    if not len(rows) == len(scores) == len(labels):
        raise ValueError(f"as many rows as scores and labels, not {len(rows)}, {len(scores)} and {len(labels)}")
    with writing(path) as file:
        for row, score, label in zip(rows, scores, labels, strict=True):
            record = {"row": int(row), **answer.record(score, label, names, thresholds), "loss": float(score[-1])}
            file.write(json.dumps(_plain(record), ensure_ascii=False, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    """Numbers as JSON has them: no NaN, and the seven significant digits that float32 holds."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    return value
