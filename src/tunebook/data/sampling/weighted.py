"""Takes rows at random, those of rare classes more often. Knows targets as numbers only."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from tunebook.data.sampling.base import UNLABELLED, SamplingOptions, TrainTargets, groups

TARGETS = {"single_label", "multi_label"}


class Options(SamplingOptions):
    """How likely a row is.

    Args:
        power: a row is taken with a probability in proportion to 1 / (rows of its class)^power, in [0, 1]: at 1 every
            class is equally likely, at 0 every row, at 0.5 classes by the square root of their rows.
        rows: of an epoch; None: as many as there are training rows.
    """

    power: float = Field(default=1.0, ge=0, le=1)
    rows: int | None = Field(default=None, ge=1)


class Sampling:
    """Rows taken with replacement, as PyTorch's WeightedRandomSampler does, but the same on every rank.

    A row of several labels is as likely as its rarest one asks for, one without any as the most frequent asks for.
    """

    def __init__(self, options: Options, targets: TrainTargets) -> None:
        positions = groups(targets)
        most = max(int(targets.counts.max()), *(len(rows) for rows in positions.values()))
        weights = np.empty(len(targets.values))
        for group, rows in positions.items():
            weights[rows] = float(most if group == UNLABELLED else targets.counts[group]) ** -options.power
        self.probabilities = weights / weights.sum()
        self.rows = len(weights) if options.rows is None else options.rows

    def draw(self, seed: int, epoch: int) -> np.ndarray:
        """See `tunebook.data.sampling.base.Sampling`; ascending."""
        generator = np.random.default_rng([seed, epoch])
        return np.sort(generator.choice(len(self.probabilities), self.rows, p=self.probabilities))
