"""Takes validation and test from the training rows, as `dataset.split` says. Knows the methods by name only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from datasets import Dataset, DatasetDict

from tunebook.config.data_groups import SplitConfig
from tunebook.data.labels.base import LabelColumn
from tunebook.data.sources.base import SPLITS
from tunebook.data.splitting.at_random import RandomRows, Stratified
from tunebook.data.splitting.by_time import ByTime
from tunebook.data.splitting.grouped import Grouped
from tunebook.data.splitting.iterative import Iterative
from tunebook.errors import DataError, Problem


class Method(Protocol):
    """A way of choosing rows. Rows are positions in the training split; the seed alone decides."""

    def divided(self, left: np.ndarray, size: int, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Of the rows `left` those that stay, and about `size` for the split called `name`, each in any order."""

    def folds(self, left: np.ndarray, count: int) -> np.ndarray:
        """For each of the rows `left` the one of `count` folds that it is in, from 0."""


def carve(splits: DatasetDict, split: SplitConfig, label: LabelColumn | None = None) -> DatasetDict:
    """Validation and test rows taken from train; rows keep the source's order.

    Shares of the training rows, in (0, 1), are rounded up to whole rows.

    Raises:
        DataError: a split is given as well, or the rows cannot be split so.
    """
    shares = {"test": split.test, "validation": split.validation}
    wanted = {name: share for name, share in shares.items() if share is not None}
    carved = [name for name in SPLITS if name in wanted or (name == "validation" and split.k_fold)]
    if given := [name for name in carved if name in splits]:
        message = "is in the source already; set it to null, or leave that split out of the source"
        raise DataError([Problem(f"dataset.split.{_key(name, split)}", message) for name in given])
    if not carved:
        return in_order(splits)
    train = splits["train"]
    method = _method(train, split, label, carved)
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
    parts["train"] = left
    if empty := [name for name in ("test", "validation", "train") if name in parts and not len(parts[name])]:
        message = f"leaves no rows for {empty[0]}: there are {len(train)} in all"
        raise DataError(Problem("dataset.split", f"{message}; ask for other shares or another method"))
    return in_order({**splits, **{name: train.select(np.sort(rows)) for name, rows in parts.items()}})


def in_order(splits: Mapping[str, Dataset]) -> DatasetDict:
    """Train, validation, test, whichever there are."""
    return DatasetDict({name: splits[name] for name in SPLITS if name in splits})


def _method(train: Dataset, split: SplitConfig, label: LabelColumn | None, carved: list[str]) -> Method:
    name: str = split.method
    strata = label.strata(train) if label else None
    if name == "auto":
        named = next((method for role, method in _BY_ROLE.items() if role in train.column_names), None)
        name = named or ("random" if strata is None else "stratified")
    for role, method in _BY_ROLE.items():
        if name == method and role not in train.column_names:
            message = f"needs a column that gives each row's {role}: give dataset.columns.{role}"
            raise DataError(Problem(f"dataset.split.method={name}", message))
    if name == "time":
        return ByTime(train)
    if name == "grouped":
        return Grouped(train, strata if strata is not None and strata.ndim == 1 else None, split.seed)
    if name == "random":
        return RandomRows(split.seed)
    if label is None or strata is None:
        what = f"this task's labels are {label.type.words}" if label else "this task has no labels"
        message = f"needs classes, and {what}; use random, grouped or time"
        raise DataError(Problem("dataset.split.method=stratified", message))
    return Iterative(strata, split.seed) if strata.ndim == 2 else Stratified(strata, label.names, split.seed, carved)


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
