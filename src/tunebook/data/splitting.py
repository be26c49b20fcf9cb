"""Carves missing splits from the training rows and draws the first few thousand rows, by a seed. Knows no files."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

import numpy as np
from datasets import Dataset, DatasetDict
from sklearn.model_selection import train_test_split

from tunebook.data.sources.base import SPLITS
from tunebook.errors import DataError, Problem


def carve(splits: DatasetDict, shares: Mapping[str, float | None], seed: int, label: str | None) -> DatasetDict:
    """Validation and test rows taken from train, each class by its share; rows keep the source's order.

    Args:
        splits: with a train split.
        shares: split to its share of the rows of train, in (0, 1), rounded up to whole rows; None: not carved.
        seed: which rows.
        label: the ClassLabel column to stratify by; None: rows are drawn without regard to class.

    Raises:
        DataError: a split is given as well, or a class is too small to be in every split.
    """
    wanted = {name: share for name, share in shares.items() if share is not None}
    given = [name for name in wanted if name in splits]
    if given:
        message = "is in the source already; set it to null, or leave that split out of the source"
        raise DataError([Problem(f"dataset.split.{name}", message) for name in given])
    train = splits["train"]
    labels = list(train[label]) if label else None
    _check_sizes(train, labels, label, wanted)
    left = np.arange(len(train))
    parts = {}
    for name in [split for split in ("test", "validation") if split in wanted]:
        size = math.ceil(round(wanted[name] * len(train), 6))
        left, parts[name] = _drawn(left, size, labels, seed, name)
    carved: dict[str, Dataset] = {name: train.select(np.sort(rows)) for name, rows in parts.items()}
    kept = train.select(np.sort(left)) if parts else train
    return in_order(dict(splits) | carved | {"train": kept})


def limit(splits: DatasetDict, most: Mapping[str, int], seed: int) -> DatasetDict:
    """At most so many rows of each split, drawn by the seed, in the source's order."""
    limited = {}
    for name, split in splits.items():
        count = most.get(name, len(split))
        if count < len(split):
            drawn = np.random.default_rng(seed).permutation(len(split))[:count]
            split = split.select(np.sort(drawn))
        limited[name] = split
    return in_order(limited)


def in_order(splits: Mapping[str, Dataset]) -> DatasetDict:
    """Train, validation, test, whichever there are."""
    return DatasetDict({name: splits[name] for name in SPLITS if name in splits})


def _drawn(
    left: np.ndarray, size: int, labels: list[int] | None, seed: int, name: str
) -> tuple[np.ndarray, np.ndarray]:
    stratify = [labels[row] for row in left] if labels else None
    try:
        rest, taken = train_test_split(left, test_size=size, random_state=seed, stratify=stratify)
    except ValueError as error:
        message = f"{size} of {len(left)} rows cannot be split off class by class: {error}"
        raise DataError(Problem(f"dataset.split.{name}", message)) from None
    return rest, taken


def _check_sizes(train: Dataset, labels: list[int] | None, label: str | None, wanted: Mapping[str, float]) -> None:
    if not labels or not label or not wanted:
        return
    names = train.features[label].names
    needed = 1 + len(wanted)
    small = {names[index]: count for index, count in sorted(Counter(labels).items()) if count < needed}
    if small:
        shown = ", ".join(f"{name!r} ({count})" for name, count in small.items())
        message = (
            f"cannot carve {' and '.join(wanted)} class by class: each class needs {needed} rows or more, "
            f"and these have fewer: {shown}; merge or drop them, or give the splits as files"
        )
        raise DataError(Problem("dataset.split", message))
