"""Draws rows by the seed alone, whatever they hold."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import train_test_split


class RandomRows:
    """Every row has the same chance.

    Args:
        seed: which rows.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def divided(self, left: np.ndarray, size: int, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The rest and `size` of the rows, all where there are not more."""
        if size >= len(left):
            return left[:0], left
        rest, taken = train_test_split(left, test_size=size, random_state=self.seed)
        return rest, taken

    def folds(self, left: np.ndarray, count: int) -> np.ndarray:
        """Folds of sizes that differ by one row at most."""
        folds = np.empty(len(left), dtype=np.int64)
        folds[np.random.default_rng(self.seed).permutation(len(left))] = np.arange(len(left)) % count
        return folds
