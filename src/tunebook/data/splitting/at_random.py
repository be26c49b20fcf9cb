"""Takes rows at random: any rows, or class by class, so that every split has each class by its share."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from tunebook.errors import DataError, Problem


class RandomRows:
    """Every row has the same chance, whatever it holds."""

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


class Stratified:
    """Each class by its share, for one label a row; a class that is too small to be in every split is refused.

    `labels` are class ids of the training rows, (rows,); `carved` are the names of the splits that will be taken.
    """

    def __init__(self, labels: np.ndarray, names: Sequence[str], seed: int, carved: list[str]) -> None:
        self.labels, self.seed = labels, seed
        _check_sizes(labels, names, carved)

    def divided(self, left: np.ndarray, size: int, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The rest and `size` of the rows."""
        from sklearn.model_selection import train_test_split

        try:
            rest, taken = train_test_split(left, test_size=size, random_state=self.seed, stratify=self.labels[left])
        except ValueError as error:
            message = f"{size} of {len(left)} rows cannot be split off class by class: {error}"
            raise DataError(Problem(f"dataset.split.{name}", message)) from None
        return rest, taken

    def folds(self, left: np.ndarray, count: int) -> np.ndarray:
        """Folds whose sizes differ by one row at most, and so does each class in them.

        Where no class has as many rows as there are folds, rows go to folds at random.
        """
        labels = self.labels[left]
        if np.bincount(labels).max() < count:
            return RandomRows(self.seed).folds(left, count)
        from sklearn.model_selection import StratifiedKFold

        splitter = StratifiedKFold(count, shuffle=True, random_state=self.seed)
        with warnings.catch_warnings():
            # A class may have fewer rows than there are folds; it is then in some of them.
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            return numbered(splitter.split(left, labels), len(left))


def _check_sizes(labels: np.ndarray, names: Sequence[str], carved: list[str]) -> None:
    needed = 1 + len(carved)
    small = {names[index]: count for index, count in sorted(Counter(labels.tolist()).items()) if count < needed}
    if small:
        shown = ", ".join(f"{name!r} ({count})" for name, count in small.items())
        message = (
            f"cannot carve {' and '.join(carved)} class by class: each class needs {needed} rows or more, "
            f"and these have fewer: {shown}; merge or drop them, or give the splits as files"
        )
        raise DataError(Problem("dataset.split", message))


def numbered(folds: Iterable[tuple[np.ndarray, np.ndarray]], rows: int) -> np.ndarray:
    """The fold of each row, (rows,), of what a scikit-learn splitter gives."""
    numbers = np.empty(rows, dtype=np.int64)
    for number, (_, held) in enumerate(folds):
        numbers[held] = number
    return numbers
