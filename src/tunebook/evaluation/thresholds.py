"""Chooses the probability from which on a label is predicted. Knows probabilities and labels, no model and no split.

A threshold is chosen on validation rows and applied to other splits; on the rows it is chosen on it looks too good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

UNTUNED = 0.5
"""The probability from which on a label is predicted, where nothing else is stated."""
LEAST_ROWS = 5
"""Labels with fewer labelled rows keep 0.5: a threshold that fits four rows fits their noise."""


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of a run.

    Args:
        values: label id to threshold.
        tuned: whether they were chosen on validation; False: as the recipe states.
        rare: label id to its number of labelled rows, of the labels that were too few to tune.
    """

    values: dict[int, float]
    tuned: bool
    rare: dict[int, int] = field(default_factory=dict)

    def plain(self, names: Sequence[str]) -> dict[str, Any]:
        """For thresholds.json, with the labels by their names."""
        values = {names[at]: value for at, value in self.values.items()}
        rare = {"too_rare_to_tune": {names[at]: count for at, count in self.rare.items()}} if self.rare else {}
        chosen = "on validation, each to maximize F1" if self.tuned else "as the recipe states"
        return {"chosen": chosen, "thresholds": values, **rare}


def tune(probabilities: np.ndarray, labelled: np.ndarray, ids: Sequence[int]) -> Thresholds:
    """One threshold for each of some labels, by F1.

    Args:
        probabilities: of each label, (rows, labels).
        labelled: 0 or 1 of each label, (rows, labels).
        ids: the labels to tune.
    """
    values, rare = {}, {}
    for at in ids:
        rows = int(labelled[:, at].sum())
        values[at] = UNTUNED if rows < LEAST_ROWS else best_threshold(probabilities[:, at], labelled[:, at])
        if rows < LEAST_ROWS:
            rare[at] = rows
    return Thresholds(values, tuned=True, rare=rare)


def best_threshold(probabilities: np.ndarray, labelled: np.ndarray) -> float:
    """The threshold with the highest F1, where rows that reach it are predicted.

    F1 is level between neighbouring probabilities. Neighbouring levels of equal height make one plateau; of several
    highest plateaus the widest is taken (then the one nearest 0.5), and of it the middle: the furthest from any row,
    so that rounding elsewhere changes no prediction.

    Args:
        probabilities: (rows,), in [0, 1].
        labelled: (rows,), 0 or 1.

    Returns:
        In (0, 1); 0.5 where no threshold gives any F1.
    """
    from sklearn.metrics import precision_recall_curve

    if not np.any(labelled):
        return UNTUNED
    precision, recall, steps = precision_recall_curve(labelled, np.asarray(probabilities, dtype=np.float64))
    precision, recall = precision[:-1], recall[:-1]  # the last point has no threshold
    scores = 2 * precision * recall / np.maximum(precision + recall, np.finfo(np.float64).tiny)
    scores[steps <= 0] = 0.0  # which a threshold above 0 cannot reach
    if not scores.any():
        return UNTUNED
    edges = np.concatenate([[0.0], steps])
    # Equal F1 comes out equal only up to rounding.
    highest = np.flatnonzero(np.isclose(scores, scores.max(), rtol=1e-12, atol=0))
    runs = np.split(highest, np.flatnonzero(np.diff(highest) > 1) + 1)
    plateaus = [(edges[run[0]], edges[run[-1] + 1]) for run in runs]
    low, high = max(plateaus, key=lambda ends: (ends[1] - ends[0], -abs(sum(ends) / 2 - UNTUNED)))
    return float((low + high) / 2)
