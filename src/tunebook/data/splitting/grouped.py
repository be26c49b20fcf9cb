"""Takes whole groups of rows, so that no group is in two splits."""

from __future__ import annotations

import warnings

import numpy as np
from datasets import Dataset

from tunebook.data.checks import no_text, rows_in_words
from tunebook.data.columns import ROW
from tunebook.data.splitting.at_random import numbered
from tunebook.errors import DataError, Problem

KEY = "dataset.columns.group"


class Grouped:
    """Rows with one value in the column `group` stay together; a row without a value is refused.

    Folds keep the shares of `classes`, class ids, (rows,), as far as groups let them; None: there are no classes.
    """

    def __init__(self, train: Dataset, classes: np.ndarray | None, seed: int) -> None:
        values = train["group"][:]
        without = [row for row, value in zip(train[ROW][:], values, strict=True) if no_text(value)]
        if without:
            raise DataError(Problem(KEY, f"every row needs a group; there is none in {rows_in_words(without)}"))
        numbers: dict[str, int] = {}
        self.groups = np.asarray([numbers.setdefault(repr(value), len(numbers)) for value in values], dtype=np.int64)
        self.labels = np.zeros(len(train), dtype=np.int64) if classes is None else classes
        self.seed = seed

    def divided(self, left: np.ndarray, size: int, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The rest, and groups in an order of the seed, as many as come nearest to `size` rows in all.

        scikit-learn's GroupShuffleSplit counts groups instead, so that a large one would take far more rows.
        """
        groups, counts = np.unique(self.groups[left], return_counts=True)
        if len(groups) < 2:
            raise DataError(Problem(f"dataset.split.{name}", f"{_groups(len(groups))} cannot be divided; use random"))
        chosen: list[int] = []
        short = size
        for at in np.random.default_rng(self.seed).permutation(len(groups)).tolist():
            if counts[at] <= short and len(chosen) + 1 < len(groups):
                chosen.append(at)
                short -= int(counts[at])
        others = [at for at in range(len(groups)) if at not in set(chosen)]
        nearest = min(others, key=lambda at: abs(short - int(counts[at])))
        # One more, where so many rows too many are nearer than too few; and never none.
        if not chosen or (abs(short - int(counts[nearest])) < short and len(others) > 1):
            chosen.append(nearest)
        taken = np.isin(self.groups[left], groups[chosen])
        return left[~taken], left[taken]

    def folds(self, left: np.ndarray, count: int) -> np.ndarray:
        """Folds of about the same size and shares of classes."""
        groups = self.groups[left]
        distinct = len(np.unique(groups))
        if distinct < count:
            raise DataError(Problem("dataset.split.k_fold", f"is {count}, but there is only {_groups(distinct)}"))
        from sklearn.model_selection import StratifiedGroupKFold

        splitter = StratifiedGroupKFold(n_splits=count, shuffle=True, random_state=self.seed)
        with warnings.catch_warnings():
            # A class may have fewer rows than there are folds: groups come first.
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            return numbered(splitter.split(left, self.labels[left], groups), len(left))


def _groups(count: int) -> str:
    return f"{count} group{'s' if count != 1 else ''} of rows"
