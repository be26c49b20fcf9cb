"""Chooses the probability from which on a label is answered. Knows probabilities and labels, no model and no split.

A threshold is chosen on validation rows and applied to others; what it is chosen on flatters it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tunebook.answers.base import UNTUNED

LEAST_ROWS = 5
"""Labels with fewer labelled rows keep 0.5: a threshold that fits four rows fits their noise."""


@dataclass(frozen=True)
class Thresholds:
    """What a run answers by.

    Args:
        values: label id to threshold.
        tuned: chosen on validation; False: as the recipe states.
        rare: label id to its number of labelled rows, of the labels that were too few to tune.
    """

    values: dict[int, float]
    tuned: bool
    rare: dict[int, int] = field(default_factory=dict)

    def plain(self, names: Sequence[str]) -> dict[str, Any]:
        """For thresholds.json, with the labels by their names."""
        said: dict[str, Any] = {"chosen": "as the recipe states"}
        if self.tuned:
            said = {"chosen": "on validation, each to maximize F1"}
        said["thresholds"] = {names[at]: value for at, value in self.values.items()}
        if self.rare:
            said["too_rare_to_tune"] = {names[at]: count for at, count in self.rare.items()}
        return said


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
    """The threshold with the highest F1, where what reaches it is answered.

    F1 is level between neighbouring probabilities. Neighbouring levels of equal height make one plateau; of several
    highest plateaus the widest is taken (then the one nearest 0.5), and of it the middle: the furthest from any row,
    so that rounding elsewhere moves no answer.

    Args:
        probabilities: (rows,), in [0, 1].
        labelled: (rows,), 0 or 1.

    Returns:
        In (0, 1); 0.5 where no threshold gives any F1.
    """
    chances = np.asarray(probabilities, dtype=np.float64)
    steps, at = np.unique(chances, return_inverse=True)
    # From each step upwards: how many rows reach it, and how many of those are labelled.
    reach = np.bincount(at, minlength=len(steps))[::-1].cumsum()[::-1]
    right = np.bincount(at, weights=labelled, minlength=len(steps))[::-1].cumsum()[::-1]
    scores = 2 * right / (reach + np.sum(labelled))
    scores[steps <= 0] = 0.0  # which a threshold above 0 cannot reach
    edges = np.concatenate([[0.0], steps])
    if not scores.any():
        return UNTUNED
    # Equal F1 comes out equal only up to rounding.
    highest = np.isclose(scores, scores.max(), rtol=1e-12, atol=0)
    plateaus = [(edges[first], edges[last + 1]) for first, last in _runs(highest)]
    low, high = max(plateaus, key=lambda ends: (ends[1] - ends[0], -abs(sum(ends) / 2 - UNTUNED)))
    return float((low + high) / 2)


def _runs(marked: np.ndarray) -> list[tuple[int, int]]:
    """First and last place of each unbroken run of True."""
    edges = np.diff(np.concatenate([[0], marked.astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(edges == 1).tolist(), (np.flatnonzero(edges == -1) - 1).tolist(), strict=True))
