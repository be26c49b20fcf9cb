"""Takes only some rows of frequent classes, others in every epoch. Knows targets as numbers only."""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field

from tunebook.data.sampling.base import UNLABELLED, SamplingOptions, TrainTargets, by_turns, groups

TARGETS = {"single_label", "multi_label"}


class Options(SamplingOptions):
    """How far frequent classes are cut.

    Args:
        ratio: an epoch holds at most so many rows of a class for each of the smallest one's, at least 1.
    """

    ratio: float = Field(default=1.0, ge=1)


class Sampling:
    """All rows of the smallest class; of the others a part, and the next part in the next epoch.

    A row of several labels counts as its rarest one's; rows without a label are cut like a class, but never are
    the smallest one.
    """

    def __init__(self, options: Options, targets: TrainTargets) -> None:
        self.groups = groups(targets)
        counts = {group: len(rows) for group, rows in self.groups.items()}
        smallest = min((count for group, count in counts.items() if group != UNLABELLED), default=max(counts.values()))
        self.sizes = {group: min(count, math.floor(options.ratio * smallest)) for group, count in counts.items()}
        self.rows = sum(self.sizes.values())

    def draw(self, seed: int, epoch: int) -> np.ndarray:
        """See `tunebook.data.sampling.base.Sampling`; ascending, none twice."""
        parts = [by_turns(rows, self.sizes[group], seed, epoch, group) for group, rows in self.groups.items()]
        return np.sort(np.concatenate(parts))
