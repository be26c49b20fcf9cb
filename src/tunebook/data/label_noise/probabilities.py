"""Probabilities of each row's labels from models that have not seen the row. Knows vectors and labels only."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np

from tunebook.errors import DataError, Problem

STRENGTHS = (0.001, 0.003, 0.01, 0.1)
"""Inverse strengths of regularisation to choose from, for features of mean 0 and deviation 1."""

TRIED = 3000
"""Rows on which the strength is chosen."""

NEIGHBOURS = 30
CANDIDATES = 20_000
"""Rows among which neighbours are looked for: beyond that the search would cost more than the model's own pass."""

LEAST = 1e-3
"""No probability is below it: a model that has seen a few thousand rows cannot know better."""


def out_of_fold(
    features: np.ndarray, labels: np.ndarray, inputs: Sequence[Any], folds: int, seed: int, names: Sequence[str]
) -> np.ndarray:
    """Out-of-fold probabilities: of each class, or of each label of a multi-label row.

    Two simple models are joined by the geometric mean of what they say: a logistic regression, which sees each
    class as one side of planes, and the nearest neighbours, which see it piece by piece. They err on different
    rows, and their mean ranked wrong labels above right ones better than each of them wherever both were any
    good. Both weigh the classes alike, as noise that favours one class makes it look commoner than it is.
    Rows with the same input share a fold; else a repeated row would give its label away.

    Args:
        features: (rows, dims).
        labels: (rows,) class ids, or (rows, labels) of 0 and 1.
        inputs: (rows,) something hashable that is equal where the inputs are.
        folds: parts; at most the rows of the rarest class.
        seed: of the parts.
        names: of the classes, for messages.

    Returns:
        (rows, classes), adding up to 1 in each row; or (rows, labels), each by itself.

    Raises:
        DataError: a class has fewer different inputs than there are folds.
    """
    fold = fold_of_rows(labels, inputs, folds, seed, names)
    if labels.ndim == 1:
        with _one_thread():
            return _of_classes(features, labels, len(names), fold, seed, balanced=True)
    with _one_thread():
        columns = [
            # A label that few rows carry is truly rare more often than it is forgotten, so here nothing is balanced.
            _of_classes(features, column, 2, fold, seed, balanced=False)[:, 1]
            for column in labels.T.astype(np.int64)
        ]
    return np.stack(columns, axis=1)


def fold_of_rows(labels: np.ndarray, inputs: Sequence[Any], folds: int, seed: int, names: Sequence[str]) -> np.ndarray:
    """The fold of each row, (rows,): each class by its share, rows with the same input together."""
    from sklearn.model_selection import KFold, StratifiedKFold

    numbers: dict[Any, int] = {}
    group = np.array([numbers.setdefault(key, len(numbers)) for key in inputs])
    _, first = np.unique(group, return_index=True)
    if labels.ndim == 1:
        _require_rows(labels, labels[first], folds, names)
        parts = StratifiedKFold(folds, shuffle=True, random_state=seed).split(first, labels[first])
    elif len(first) < folds:
        raise DataError(Problem("cleaning.label_noise_folds", f"is {folds}, but there are {len(first)} training rows"))
    else:
        parts = KFold(folds, shuffle=True, random_state=seed).split(first)
    of_group = np.empty(len(first), dtype=np.int64)
    for number, (_, held) in enumerate(parts):
        of_group[held] = number
    return of_group[group]


def _require_rows(labels: np.ndarray, distinct: np.ndarray, folds: int, names: Sequence[str]) -> None:
    counts = np.bincount(distinct, minlength=len(names))
    few = [f"{names[label]} ({counts[label]})" for label in np.unique(labels) if counts[label] < folds]
    if few:
        message = (
            f"is {folds}, but some labels have fewer different training rows: {', '.join(few)}; lower it to their "
            "number (2 at least), or set cleaning.label_noise=ignore"
        )
        raise DataError(Problem("cleaning.label_noise_folds", message))


def _of_classes(
    features: np.ndarray, labels: np.ndarray, count: int, fold: np.ndarray, seed: int, balanced: bool
) -> np.ndarray:
    strength = _strength(features, labels, seed, balanced)
    found = np.empty((len(labels), count))
    for number in np.unique(fold):
        held = fold == number
        seen, own, asked = features[~held], labels[~held], features[held]
        linear = _linear(seen, own, asked, count, strength, balanced)
        near = _near(seen, own, asked, count, seed, balanced)
        found[held] = _normalised(np.sqrt(np.clip(linear, LEAST, 1) * np.clip(near, LEAST, 1)))
    return found


def _strength(features: np.ndarray, labels: np.ndarray, seed: int, balanced: bool) -> float:
    """The strength with the lowest log-loss on rows held out, chosen once, on a part of the rows."""
    chosen = np.random.default_rng(seed).permutation(len(labels))[:TRIED]
    held, seen = chosen[: len(chosen) // 3], chosen[len(chosen) // 3 :]
    count = int(labels.max()) + 1

    def loss(strength: float) -> float:
        told = _linear(features[seen], labels[seen], features[held], count, strength, balanced)
        return float(-np.log(np.clip(told[np.arange(len(held)), labels[held]], LEAST, 1)).mean())

    return min(STRENGTHS, key=loss)


def _linear(
    seen: np.ndarray, labels: np.ndarray, asked: np.ndarray, count: int, strength: float, balanced: bool
) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    told = np.zeros((len(asked), count))
    present = np.unique(labels)
    if len(present) == 1:  # a label that every row has, or none
        told[:, present[0]] = 1
        return told
    scale = StandardScaler().fit(seen)
    model = LogisticRegression(C=strength, max_iter=300, class_weight="balanced" if balanced else None)
    with _unfinished_is_fine():
        model.fit(scale.transform(seen), labels)
    told[:, present] = model.predict_proba(scale.transform(asked))
    return told


def _near(seen: np.ndarray, labels: np.ndarray, asked: np.ndarray, count: int, seed: int, balanced: bool) -> np.ndarray:
    from sklearn.neighbors import NearestNeighbors

    kept = np.random.default_rng(seed).permutation(len(seen))[:CANDIDATES]
    seen, labels = seen[kept], labels[kept]
    search = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(seen)), metric="cosine").fit(seen)
    distances, places = search.kneighbors(asked)
    votes = np.zeros((len(asked), count))
    np.add.at(votes, (np.arange(len(asked))[:, None], labels[places]), 1 / (distances + 1e-3))
    votes *= NEIGHBOURS / votes.sum(1, keepdims=True)
    # Half a vote for every class, so that thirty neighbours can make nothing impossible.
    rows = np.bincount(labels, minlength=count)
    return _normalised((votes + 0.5) / (np.maximum(rows, 1) if balanced else 1))


def _normalised(values: np.ndarray) -> np.ndarray:
    return values / values.sum(1, keepdims=True)


@contextmanager
def _unfinished_is_fine() -> Iterator[None]:
    """A fit that is stopped early is only regularised a little more."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _one_thread() -> AbstractContextManager[Any]:
    """Many small products: threads that wait for each other cost forty times as much on a busy machine."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)
