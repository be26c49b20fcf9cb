"""Every training row once an epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunebook.config.options import Options as BaseOptions

if TYPE_CHECKING:
    import numpy as np

    from tunebook.data.sampling.base import TrainLabels

TARGETS = {"single_label", "multi_label", "regression"}


class Options(BaseOptions):
    """Nothing to set."""


class Sampling:
    """All rows."""

    def __init__(self, options: Options, labels: TrainLabels) -> None:
        self.rows = len(labels.values)

    def draw(self, seed: int, epoch: int) -> np.ndarray:
        """0, 1, 2, …"""
        import numpy as np

        return np.arange(self.rows)
