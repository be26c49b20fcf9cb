"""Draws fewer rows of a split than there are: at most so many, or so many of each class. Knows no carving."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from datasets import Dataset, DatasetDict

from tunebook.data.splitting.many_labels import stratified
from tunebook.errors import DataError, Problem


def limit(
    splits: Mapping[str, Dataset], most: Mapping[str, int], seed: int, label: str | None = None, kind: str = "class"
) -> DatasetDict:
    """At most so many rows of each split, each class by its share, in the source's order.

    Args:
        splits: any.
        most: split to the number of rows to keep.
        seed: which rows.
        label: the encoded label column; None: any rows.
        kind: of label: class, classes or number; numbers are drawn without regard to their value.
    """
    limited = {}
    for name, split in splits.items():
        count = most.get(name, len(split))
        limited[name] = split.select(np.sort(_drawn(split, count, seed, label, kind))) if count < len(split) else split
    return DatasetDict(limited)


def few_shot(train: Dataset, count: int, seed: int, label: str, kind: str, names: list[str]) -> Dataset:
    """So many rows of each class; where rows have several labels, at least so many of each label.

    Args:
        train: the rows.
        count: of each class.
        seed: which rows.
        label: the encoded label column.
        kind: of label: class, classes or number.
        names: of the labels.

    Raises:
        DataError: a class has fewer rows, or there are no classes.
    """
    key = f"dataset.per_class={count}"
    if kind == "number":
        raise DataError(Problem(key, "needs classes, and the labels are numbers; use dataset.max_rows.train"))
    order = np.random.default_rng(seed).permutation(len(train))
    if kind == "classes":
        holds = np.asarray(train[label][:], dtype=np.int64).reshape(len(train), len(names))
    else:
        holds = np.eye(len(names), dtype=np.int64)[np.asarray(train[label][:])]
    few = [
        f"{name!r} has {there}" for name, there in zip(names, holds.sum(axis=0).tolist(), strict=True) if there < count
    ]
    if few:
        raise DataError(Problem(key, f"needs {count} training rows of each class; {', '.join(few)}"))
    chosen = np.zeros(len(train), dtype=bool)
    for index in np.argsort(holds.sum(axis=0), kind="stable").tolist():  # rare labels bring frequent ones with them
        needed = count - int(holds[chosen, index].sum())
        free = order[(holds[order, index] == 1) & ~chosen[order]]
        chosen[free[: max(0, needed)]] = True
    return train.select(np.flatnonzero(chosen))


def _drawn(split: Dataset, count: int, seed: int, label: str | None, kind: str) -> np.ndarray:
    order = np.random.default_rng(seed).permutation(len(split))
    if label is None or kind == "number":
        return order[:count]
    if kind == "classes":
        labels = np.asarray(split[label][:], dtype=np.int8).reshape(len(split), -1)
        return np.flatnonzero(stratified(labels, [len(split) - count, count], seed) == 1)
    labels = np.asarray(split[label][:])[order]
    classes, counts = np.unique(labels, return_counts=True)
    quota = counts * count / len(split)
    share = np.floor(quota).astype(np.int64)
    # What the rounding left goes to the classes that lost most by it.
    share[np.argsort(share - quota, kind="stable")[: count - int(share.sum())]] += 1
    return np.concatenate([order[labels == one][:n] for one, n in zip(classes, share, strict=True)])
