"""The groups of training rows that sampling evens out, and taking rows of one by turns. Knows targets as numbers."""

from __future__ import annotations

import numpy as np

from tunebook.data.sampling.base import TrainTargets

UNLABELLED = -1


def groups(targets: TrainTargets) -> dict[int, np.ndarray]:
    """Label to the positions of its rows, (rows of it,), ascending; labels without rows are not there.

    A row of several labels belongs to the rarest of them; one without any to `UNLABELLED`, which is no class, so that
    no method repeats its rows.
    """
    if targets.strata.ndim == 2:
        has = targets.strata.astype(bool)
        counts = np.where(has, targets.counts, len(has) + 1)
        owner = np.where(has.any(axis=1), counts.argmin(axis=1), UNLABELLED)
    else:
        owner = targets.strata
    return {int(group): np.flatnonzero(owner == group) for group in np.unique(owner)}


def by_turns(rows: np.ndarray, size: int, seed: int, epoch: int, group: int) -> np.ndarray:
    """`size` of the rows, none twice; epoch by epoch the next ones of an order that the seed fixes.

    So no row comes again before all others of its group have come, however few an epoch takes.
    """
    order = np.random.default_rng([seed, group + 1]).permutation(rows)
    return order[(epoch * size + np.arange(size)) % len(rows)]
