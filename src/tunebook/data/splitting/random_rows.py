"""Takes rows by the seed alone, whatever they hold."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


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
        from sklearn.model_selection import train_test_split

        rest, taken = train_test_split(left, test_size=size, random_state=self.seed)
        return rest, taken

    def folds(self, left: np.ndarray, count: int) -> np.ndarray:
        """Folds of sizes that differ by one row at most."""
        from sklearn.model_selection import KFold

        return numbered(KFold(count, shuffle=True, random_state=self.seed).split(left), len(left))


def numbered(folds: Iterable[tuple[np.ndarray, np.ndarray]], rows: int) -> np.ndarray:
    """The fold of each row, (rows,), of what a scikit-learn splitter gives."""
    numbers = np.empty(rows, dtype=np.int64)
    for number, (_, held) in enumerate(folds):
        numbers[held] = number
    return numbers
