"""Takes validation and test from the training rows, as `dataset.split` says. Knows the methods by name only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from datasets import Dataset, DatasetDict

from tunebook.config.data_groups import SplitConfig
from tunebook.data.sources.base import SPLITS
from tunebook.data.splitting.by_time import ByTime
from tunebook.data.splitting.grouped import Grouped
from tunebook.data.splitting.many_labels import ManyLabels
from tunebook.data.splitting.random_rows import RandomRows
from tunebook.data.splitting.stratified import Stratified
from tunebook.errors import DataError, Problem


class Method(Protocol):
    """A way of choosing rows. Rows are positions in the training split; each answer follows from the seed."""

    def divided(self, left: np.ndarray, size: int, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Of the rows `left` those that stay, and about `size` for the split called `name`, each in any order."""

    def folds(self, left: np.ndarray, count: int) -> np.ndarray:
        """For each of the rows `left` the one of `count` folds that it is in, from 0."""


def carve(splits: DatasetDict, split: SplitConfig, label: str | None = None, kind: str = "class") -> DatasetDict:
    """Validation and test rows taken from train; rows keep the source's order.

    Args:
        splits: with a train split, which has `group` or `time` where the method needs it.
        split: shares of the rows of train, in (0, 1), rounded up to whole rows; or folds; the seed; the method.
        label: the encoded label column; None: there is none.
        kind: of label: class, classes or number.

    Raises:
        DataError: a split is given as well, or the rows cannot be split so.
    """
    shares = {"test": split.test, "validation": split.validation}
    wanted = {name: share for name, share in shares.items() if share is not None}
    carved = [name for name in SPLITS if name in wanted or (name == "validation" and split.k_fold)]
    given = [name for name in carved if name in splits]
    if given:
        message = "is in the source already; set it to null, or leave that split out of the source"
        raise DataError([Problem(f"dataset.split.{_key(name, split)}", message) for name in given])
    if not carved:
        return in_order(splits)
    train = splits["train"]
    method = _method(train, split, label, kind, carved)
    left = np.arange(len(train))
    parts: dict[str, np.ndarray] = {}
    for name, share in wanted.items():
        if name == "validation" and split.k_fold:
            continue
        left, parts[name] = method.divided(left, math.ceil(round(share * len(train), 6)), name)
    if split.k_fold:
        left = np.sort(left)
        _check_fold(split, left)
        parts["validation"] = left[method.folds(left, split.k_fold) == split.fold]
        left = np.setdiff1d(left, parts["validation"])
    for name, rows in {**parts, "train": left}.items():
        if not len(rows):
            message = (
                f"leaves no rows for {name}: there are {len(train)} in all; ask for other shares or another method"
            )
            raise DataError(Problem("dataset.split", message))
    return in_order(
        dict(splits) | {name: train.select(np.sort(rows)) for name, rows in {**parts, "train": left}.items()}
    )


def in_order(splits: Mapping[str, Dataset]) -> DatasetDict:
    """Train, validation, test, whichever there are."""
    return DatasetDict({name: splits[name] for name in SPLITS if name in splits})


def _method(train: Dataset, split: SplitConfig, label: str | None, kind: str, carved: list[str]) -> Method:
    name: str = split.method
    if name == "auto":
        classes = label and kind != "number"
        named = next((method for role, method in _BY_ROLE.items() if role in train.column_names), None)
        name = named or ("stratified" if classes else "random")
    for role, method in _BY_ROLE.items():
        if name == method and role not in train.column_names:
            message = f"needs a column that says each row's {role}: give dataset.columns.{role}"
            raise DataError(Problem(f"dataset.split.method={name}", message))
    if name == "time":
        return ByTime(train)
    if name == "grouped":
        return Grouped(train, label if kind == "class" else None, split.seed)
    if name == "random":
        return RandomRows(split.seed)
    if not label or kind == "number":
        message = "needs classes, and there are none; use random, grouped or time"
        raise DataError(Problem("dataset.split.method=stratified", message))
    if kind == "classes":
        return ManyLabels(train, label, split.seed)
    return Stratified(train, label, split.seed, carved)


_BY_ROLE = {"time": "time", "group": "grouped"}


def _check_fold(split: SplitConfig, left: np.ndarray) -> None:
    count = split.k_fold or 0
    if split.fold >= count:
        message = f"there are {count} folds, counted from 0: 0 to {count - 1}"
        raise DataError(Problem(f"dataset.split.fold={split.fold}", message))
    if count > len(left):
        raise DataError(Problem("dataset.split.k_fold", f"is {count}, but there are only {len(left)} rows to divide"))


def _key(name: str, split: SplitConfig) -> str:
    return "k_fold" if name == "validation" and split.k_fold else name
