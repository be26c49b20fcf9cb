"""Takes fewer rows of a split than there are: at most so many, or so many of each class. Knows no carving."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from datasets import Dataset, DatasetDict

from tunebook.data.labels.base import LabelColumn, class_members
from tunebook.data.splitting.iterative import stratified
from tunebook.errors import DataError, Problem


def limit(
    splits: Mapping[str, Dataset], most: Mapping[str, int], seed: int, label: LabelColumn | None = None
) -> DatasetDict:
    """At most so many rows of each split (`most`), each class by its share, in the source's order.

    Without classes (`label` is None or has none) any rows are taken.
    """
    limited = {}
    for name, split in splits.items():
        count = most.get(name, len(split))
        limited[name] = split.select(np.sort(_chosen(split, count, seed, label))) if count < len(split) else split
    return DatasetDict(limited)


def few_shot(train: Dataset, count: int, seed: int, label: LabelColumn | None) -> Dataset:
    """So many rows of each class; where rows have several labels, at least so many of each label.

    Raises:
        DataError: a class has fewer rows, or there are no classes.
    """
    key = f"dataset.per_class={count}"
    strata = label.strata(train) if label else None
    if label is None or strata is None:
        what = f"this task's labels are {label.type.words}" if label else "this task has no labels"
        raise DataError(Problem(key, f"needs classes, and {what}; use dataset.max_rows.train"))
    order = np.random.default_rng(seed).permutation(len(train))
    has = class_members(strata, len(label.names))
    counts = has.sum(axis=0)
    few = [f"{name!r} has {rows}" for name, rows in zip(label.names, counts.tolist(), strict=True) if rows < count]
    if few:
        raise DataError(Problem(key, f"needs {count} training rows of each class; {', '.join(few)}"))
    chosen = np.zeros(len(train), dtype=bool)
    for index in np.argsort(counts, kind="stable").tolist():  # rows of rare labels have frequent ones as well
        needed = count - int(has[chosen, index].sum())
        free = order[has[order, index] & ~chosen[order]]
        chosen[free[: max(0, needed)]] = True
    return train.select(np.flatnonzero(chosen))


def _chosen(split: Dataset, count: int, seed: int, label: LabelColumn | None) -> np.ndarray:
    strata = label.strata(split) if label else None
    order = np.random.default_rng(seed).permutation(len(split))
    if strata is None:
        return order[:count]
    if strata.ndim == 2:
        return np.flatnonzero(stratified(strata, [len(split) - count, count], seed) == 1)
    # Quotas of our own: scikit-learn's stratified splitters refuse a class of one row, and fewer rows than classes.
    labels = strata[order]
    classes, counts = np.unique(labels, return_counts=True)
    quota = counts * count / len(split)
    share = np.floor(quota).astype(np.int64)
    # What the rounding left goes to the classes that lost most by it.
    share[np.argsort(share - quota, kind="stable")[: count - int(share.sum())]] += 1
    return np.concatenate([order[labels == one][:n] for one, n in zip(classes, share, strict=True)])
