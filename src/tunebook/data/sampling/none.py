"""Every training row once an epoch."""

from __future__ import annotations

import numpy as np

from tunebook.config.options import Options as BaseOptions
from tunebook.data.sampling.base import ANY, TrainTargets

TARGETS = ANY


class Options(BaseOptions):
    """Nothing to set."""


class Sampling:
    """All rows."""

    def __init__(self, options: Options, targets: TrainTargets) -> None:
        self.rows = len(targets.values)

    def draw(self, seed: int, epoch: int) -> np.ndarray:
        """0, 1, 2, …"""
        return np.arange(self.rows)
