"""Repeats rows of rare classes. Knows targets as numbers only."""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field

from tunebook.data.sampling.base import UNLABELLED, SamplingOptions, TrainTargets, by_turns, groups

TARGETS = {"single_label", "multi_label"}


class Options(SamplingOptions):
    """How far rare classes are raised.

    Args:
        ratio: each class has at least this share of the largest one's rows, in (0, 1].
    """

    ratio: float = Field(default=1.0, gt=0, le=1)


class Sampling:
    """Every row at least once an epoch; rows of small classes again, and none once more often than another.

    A row of several labels counts as its rarest one's; rows without a label are never repeated.
    """

    def __init__(self, options: Options, targets: TrainTargets) -> None:
        self.groups = groups(targets)
        least = math.ceil(options.ratio * max(len(rows) for rows in self.groups.values()))
        self.sizes = {
            group: len(rows) if group == UNLABELLED else max(len(rows), least) for group, rows in self.groups.items()
        }
        self.rows = sum(self.sizes.values())

    def draw(self, seed: int, epoch: int) -> np.ndarray:
        """See `tunebook.data.sampling.base.Sampling`; ascending."""
        parts = []
        for group, rows in self.groups.items():
            times, rest = divmod(self.sizes[group], len(rows))
            parts += [np.tile(rows, times), by_turns(rows, rest, seed, epoch, group)]
        return np.sort(np.concatenate(parts))
