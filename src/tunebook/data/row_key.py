"""How one training row of an epoch is named: which row, in which epoch, which copy of it. Knows nothing of data."""

from __future__ import annotations

from typing import NamedTuple


class RowKey(NamedTuple):
    """One training row of an epoch; with the seed, all that augmentation may depend on.

    Attributes:
        row: position in the training split.
        epoch: counted from 0.
        copy: 0 for the first time that the epoch has the row, 1 for the second, …
        counted: False for a filler that evens out the last step of an epoch and does not count in the loss.
    """

    row: int
    epoch: int = 0
    copy: int = 0
    counted: bool = True

    def seeds(self, seed: int) -> tuple[int, int, int, int]:
        """Entropy for `numpy.random.default_rng`: the same row, epoch and copy always give the same numbers."""
        return (seed, self.epoch, self.row, self.copy)
