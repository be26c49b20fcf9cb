"""What a sampling method is. Knows labels as numbers, nothing of tasks or of the Trainer.

A method is a file `tunebook/data/sampling/NAME.py` (or an entry point `sampling.NAME`) with `Options`, `LABELS`
(the kinds of label it can work with: `class`, `classes`, `number`) and `Sampling`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tunebook.config.options import Options

if TYPE_CHECKING:
    import numpy as np


class SamplingOptions(Options):
    """The base of a method's own settings."""


@dataclass(frozen=True)
class TrainLabels:
    """The labels of the training rows, and what a message calls them.

    Args:
        kind: `class` (one label a row), `classes` (several) or `number`.
        names: of the labels, in the order of their ids; empty for numbers.
        values: (rows,) class ids; (rows, labels) of 0 and 1; or (rows,) numbers.
    """

    kind: str
    names: tuple[str, ...]
    values: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """Rows of each label, (labels,)."""
        import numpy as np

        if self.kind == "classes":
            return self.values.sum(axis=0).astype(np.int64)
        return np.bincount(self.values.astype(np.int64), minlength=len(self.names))


class Sampling(Protocol):
    """Draws the rows of an epoch.

    Attributes:
        rows: how many an epoch holds; the same in every epoch.
    """

    rows: int

    def draw(self, seed: int, epoch: int) -> np.ndarray:
        """Positions in the training split, (self.rows,), repeats allowed, in any order.

        Must follow from (seed, epoch) alone, so that every rank and every resumed run draws the same.
        """
