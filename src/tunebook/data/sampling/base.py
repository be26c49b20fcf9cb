"""What a sampling method is. Knows targets as numbers, nothing of tasks or of the Trainer.

A method is a file `tunebook/data/sampling/NAME.py` (or an entry point `sampling.NAME`) with `Options`, `TARGETS`
and `Sampling`. `TARGETS` are the target types (`Task.target_type`) that it can work with, such as `single_label`,
`multi_label` and `regression`; `ANY` where it needs no classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from tunebook.config.options import Options
from tunebook.data.labels.base import LabelType, class_counts


class SamplingOptions(Options):
    """The base of a method's own settings."""


class _Any(frozenset[str]):
    def __contains__(self, name: object) -> bool:
        return True


ANY = _Any({"single_label", "multi_label", "regression"})
"""Every target type, also one of a task's own."""


@dataclass(frozen=True)
class TrainTargets:
    """The targets of the training rows.

    Args:
        labels: how they are read; None: the task has no labels.
        names: of the classes, in the order of their ids; empty where there are none.
        values: one a row, as `LabelType.encode` gives them: (rows,) class ids; (rows, labels) of 0 and 1; or (rows,)
            numbers. Without labels only their number counts.
    """

    labels: LabelType | None
    names: tuple[str, ...]
    values: Any

    @cached_property
    def strata(self) -> np.ndarray:
        """(rows,) class ids, or (rows, classes) of 0 and 1.

        Raises:
            TypeError: the targets have no classes.
        """
        strata = self.labels.strata(self.values) if self.labels else None
        if strata is None:
            raise TypeError("these targets have no classes")
        return strata

    @cached_property
    def counts(self) -> np.ndarray:
        """Rows of each class, (classes,). Raises as `strata`."""
        return class_counts(self.strata, len(self.names))


class Sampling(Protocol):
    """Chooses the rows of an epoch.

    Attributes:
        rows: how many an epoch holds; the same in every epoch.
    """

    rows: int

    def draw(self, seed: int, epoch: int) -> np.ndarray:
        """Positions in the training split, (self.rows,), repeats allowed, in any order.

        Must follow from (seed, epoch) alone, so that every rank and every resumed run gets the same.
        """


UNLABELLED = -1
"""The group of rows without any label, which is no class."""


def groups(targets: TrainTargets) -> dict[int, np.ndarray]:
    """Label to the positions of its rows, (rows of it,), ascending; labels without rows are not there.

    A row of several labels belongs to the rarest of them; one without any to `UNLABELLED`, so that no method
    repeats its rows.
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
