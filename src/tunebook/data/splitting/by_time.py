"""Takes the latest rows, so that a model is evaluated on what came after what it learned from."""

from __future__ import annotations

import datetime
import math
from typing import Any

import numpy as np
from datasets import Dataset

from tunebook.data.checks import rows_in_words
from tunebook.data.columns import ROW
from tunebook.errors import DataError, Problem

KEY = "dataset.columns.time"


class ByTime:
    """The latest rows go to test, those before them to validation.

    The column `time` holds numbers, or dates as in 2024-05-01 or 2024-05-01T10:30:00+02:00; a date without a zone
    counts as UTC. A time that cannot be read is refused, and so are numbers that are mixed with dates.
    """

    def __init__(self, train: Dataset) -> None:
        values = train["time"][:]
        times = [moment(value) for value in values]
        wrong = [at for at, time in enumerate(times) if time is None]
        rows = train[ROW][:]
        if wrong:
            first = values[wrong[0]]
            message = f"must hold numbers or ISO dates (2024-05-01T10:30); {first!r} is neither: "
            raise DataError(Problem(KEY, message + rows_in_words([rows[at] for at in wrong])))
        if len({isinstance(value, int | float) for value in values}) > 1:
            raise DataError(Problem(KEY, "mixes numbers and dates, which cannot be put in one order"))
        self.times = np.asarray(times, dtype=np.float64)

    def divided(self, left: np.ndarray, size: int, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The rest, and about `size` of the latest rows. Rows of one moment stay together."""
        times = self.times[left]
        moments, counts = np.unique(times, return_counts=True)
        if len(moments) < 2:
            raise DataError(Problem(f"dataset.split.{name}", "all of the rows left to divide are of the same time"))
        later = np.cumsum(counts[::-1])[:-1]  # rows of the latest one, two, … moments; never all
        border = moments[::-1][int(np.argmin(np.abs(later - size)))]
        return left[times < border], left[times >= border]

    def folds(self, left: np.ndarray, count: int) -> np.ndarray:
        """Folds in the order of time would train on what came later."""
        message = "cannot go with k_fold: all folds but the last would be evaluated on the past; give split.validation"
        raise DataError(Problem("dataset.split.method=time", message))


def moment(value: Any) -> float | None:
    """A number as it is, a date as seconds since 1970; None where it is neither."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str):
        try:
            value = datetime.datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if isinstance(value, datetime.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=datetime.UTC)).timestamp()
    if isinstance(value, datetime.date):
        return datetime.datetime(value.year, value.month, value.day, tzinfo=datetime.UTC).timestamp()
    return None
