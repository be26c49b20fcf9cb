"""The weight column: what each training row counts in the loss. Knows nothing of the loss itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from datasets import Dataset

from tunebook.data import chunks
from tunebook.data.checks import rows_in_words
from tunebook.errors import DataError, Problem

WEIGHT = "weight"


def weights_of(train: Dataset, key: str) -> np.ndarray | None:
    """Weights of the training rows, scaled to mean 1; None without such a column; `key` is the column's, for messages.

    Raises:
        DataError: a weight is no number, not finite or not above 0.
    """
    if WEIGHT not in train.column_names:
        return None
    weights = chunks.column(train, WEIGHT)
    right = np.isfinite(weights) & (weights > 0) if weights.dtype.kind in "iuf" else np.zeros(len(train), dtype=bool)
    if not right.all():
        rows = rows_in_words(chunks.row_numbers(train)[~right].tolist())
        message = f"must hold finite numbers above 0; to leave a row out, remove it. Wrong: {rows}"
        raise DataError(Problem(key, message))
    return scaled(weights)


def scaled(weights: Sequence[float] | np.ndarray) -> np.ndarray:
    """The same weights with mean 1, (rows,), float64."""
    values = np.asarray(weights, dtype=np.float64)
    values = values / values.max()  # first, so that the sum of huge weights stays finite
    return np.asarray(values / values.mean())
