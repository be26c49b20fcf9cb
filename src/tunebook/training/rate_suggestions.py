"""Which learning rates a sweep suggests, from its curve alone; knows nothing of models or the Trainer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

SMOOTHING = 0.98
"""Weight of the previous losses in the running mean."""
SKIPPED_AT_END = 5
MIN_POINTS = 8
"""Least number of points for a suggestion."""


def smoothed(losses: Sequence[float], weight: float = SMOOTHING) -> list[float]:
    """Running mean with exponentially falling weights, corrected for its start at 0."""
    return pd.Series(losses).ewm(alpha=1 - weight).mean().tolist()


def suggestions(rates: Sequence[float], losses: Sequence[float], steps: int) -> dict[str, float]:
    """Learning rates to try, by name; empty where the curve has too few points or never falls.

    As in fastai the first tenth of the steps and the last five points are left out of the curve.

    Args:
        rates: base rate of each step that was made, rising evenly on a logarithmic scale.
        losses: smoothed, one a rate; finite.
        steps: planned for the sweep.

    Returns:
        `valley`: in the middle of the longest fall. `steepest`: where the loss falls fastest on its way to the lowest
        (after it a diverging loss has steep falls, too). `minimum / 10`: a tenth of the
        rate with the lowest loss.
    """
    inner = slice(steps // 10, len(rates) - SKIPPED_AT_END)
    x, y = np.asarray(rates[inner], dtype=np.float64), np.asarray(losses[inner], dtype=np.float64)
    if len(x) < MIN_POINTS or y.argmin() == 0:
        return {}
    lowest = int(y.argmin())
    slopes = np.diff(y[: lowest + 1]) / np.diff(np.log(x[: lowest + 1]))
    return {
        "valley": float(x[_valley(y)]),
        "steepest": float(x[slopes.argmin()]),
        "minimum / 10": float(x[lowest] / 10),
    }


def _valley(losses: np.ndarray) -> int:
    """The middle of the longest fall: the points up to the end of the longest falling subsequence, as many as it has.

    fastai's documentation says two thirds; its code has always taken a third and half a third.
    """
    lengths = np.ones(len(losses), dtype=np.int64)
    for at in range(1, len(losses)):
        higher = losses[:at] > losses[at]
        if higher.any():
            lengths[at] = lengths[:at][higher].max() + 1
    end = int(lengths.argmax())
    length = int(lengths[end])
    return max(end - length + length // 3 + length // 6, 0)
