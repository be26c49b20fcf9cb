"""Probabilities of each row's labels from models that have not seen the row. Knows vectors and labels only."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, PredefinedSplit, StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tunebook.data.splitting.at_random import numbered
from tunebook.errors import DataError, Problem

STRENGTHS = (0.001, 0.003, 0.01, 0.1)
"""Inverse strengths of regularisation to choose from, for features of mean 0 and deviation 1."""

TRIED = 3000
"""Rows on which the strength is chosen."""

NEIGHBOURS = 30
CANDIDATES = 20_000
"""Rows among which neighbours are searched: beyond that the search would cost more than the model's own pass."""

LEAST = 1e-3
"""No probability is below it: a model that has seen a few thousand rows cannot know better."""


def out_of_fold(
    features: np.ndarray, labels: np.ndarray, inputs: Sequence[Hashable], folds: int, seed: int, names: Sequence[str]
) -> np.ndarray:
    """Out-of-fold probabilities: of each class, or of each label of a multi-label row.

    Two simple models are joined by the geometric mean of their probabilities: a logistic regression, which sees each
    class as one side of planes, and the nearest neighbours, which see it piece by piece. They err on different
    rows, and their mean ranked wrong labels above right ones better than each of them wherever both were any
    good. Both weigh the classes alike, as noise that favours one class makes it look commoner than it is.
    Rows with the same input share a fold; otherwise a repeated row would show its label.

    Args:
        features: (rows, dims).
        labels: (rows,) class ids, or (rows, labels) of 0 and 1.
        inputs: (rows,) values that are equal where the inputs are.
        folds: parts; at most the rows of the rarest class.
        seed: of the parts.
        names: of the classes, for messages.

    Returns:
        (rows, classes), adding up to 1 in each row; or (rows, labels), each by itself.

    Raises:
        DataError: a class has fewer different inputs than there are folds.
    """
    fold = fold_of_rows(labels, inputs, folds, seed, names)
    with _quiet_and_single_threaded():
        if labels.ndim == 1:
            return _of_classes(features, labels, len(names), fold, seed, balanced=True)
        # A label that few rows have is truly rare more often than it is forgotten, so here nothing is balanced.
        columns = labels.T.astype(np.int64)
        return np.stack([_of_classes(features, one, 2, fold, seed, balanced=False)[:, 1] for one in columns], axis=1)


def fold_of_rows(
    labels: np.ndarray, inputs: Sequence[Hashable], folds: int, seed: int, names: Sequence[str]
) -> np.ndarray:
    """The fold of each row, (rows,): each class by its share, rows with the same input together."""
    numbers: dict[Hashable, int] = {}
    group = np.array([numbers.setdefault(key, len(numbers)) for key in inputs])
    _, first = np.unique(group, return_index=True)
    if labels.ndim == 1:
        _require_rows(labels, labels[first], folds, names)
        parts = StratifiedKFold(folds, shuffle=True, random_state=seed).split(first, labels[first])
    elif len(first) < folds:
        raise DataError(Problem("cleaning.label_noise_folds", f"is {folds}, but there are {len(first)} training rows"))
    else:
        parts = KFold(folds, shuffle=True, random_state=seed).split(first)
    return numbered(parts, len(first))[group]


def _require_rows(labels: np.ndarray, distinct: np.ndarray, folds: int, names: Sequence[str]) -> None:
    counts = np.bincount(distinct, minlength=len(names))
    if few := [f"{names[label]} ({counts[label]})" for label in np.unique(labels) if counts[label] < folds]:
        message = f"is {folds}, but some labels have fewer different training rows: {', '.join(few)}"
        fix = "lower it to their number (2 at least), or set cleaning.label_noise=ignore"
        raise DataError(Problem("cleaning.label_noise_folds", f"{message}; {fix}"))


def _of_classes(
    features: np.ndarray, labels: np.ndarray, count: int, fold: np.ndarray, seed: int, balanced: bool
) -> np.ndarray:
    """Probabilities of `count` classes, (rows, count), by the models of the other folds."""
    linear: Any = _linear(_strength(features, labels, seed, balanced), balanced)
    if any(len(np.unique(labels[fold != number])) < 2 for number in np.unique(fold)):
        linear = DummyClassifier()  # a label that all rows of some training part have, or none of them
    product = np.ones((len(labels), count))
    for model in (linear, _Neighbours(balanced, seed)):
        probabilities = np.zeros((len(labels), count))
        probabilities[:, np.unique(labels)] = cross_val_predict(
            model, features, labels, cv=PredefinedSplit(fold), method="predict_proba"
        )
        product *= np.clip(probabilities, LEAST, 1)
    return _normalised(np.sqrt(product))


def _linear(strength: float, balanced: bool) -> Any:
    weights = "balanced" if balanced else None
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=300, class_weight=weights))


def _strength(features: np.ndarray, labels: np.ndarray, seed: int, balanced: bool) -> float:
    """The strength with the lowest log-loss on rows held out, chosen once, on a part of the rows."""
    chosen = np.random.default_rng(seed).permutation(len(labels))[:TRIED]
    held, seen = chosen[: len(chosen) // 3], chosen[len(chosen) // 3 :]
    if len(np.unique(labels[seen])) < 2:
        return STRENGTHS[0]

    def loss(strength: float) -> float:
        model = _linear(strength, balanced).fit(features[seen], labels[seen])
        probabilities = np.zeros((len(held), int(labels.max()) + 1))
        probabilities[:, model.classes_] = model.predict_proba(features[held])
        return float(-np.log(np.clip(probabilities[np.arange(len(held)), labels[held]], LEAST, 1)).mean())

    return min(STRENGTHS, key=loss)


class _Neighbours(KNeighborsClassifier):
    """Votes of the nearest rows among some candidates, half a vote added to every class.

    So thirty neighbours can make nothing impossible.
    """

    def __init__(self, balanced: bool, seed: int) -> None:
        super().__init__(NEIGHBOURS, weights=lambda distances: 1 / (distances + 1e-3), metric="cosine")
        self.balanced, self.seed = balanced, seed

    def fit(self, features: np.ndarray, labels: np.ndarray) -> _Neighbours:
        candidates = np.random.default_rng(self.seed).permutation(len(features))[:CANDIDATES]
        self.n_neighbors = min(NEIGHBOURS, len(candidates))
        super().fit(features[candidates], labels[candidates])
        self.rows_ = np.unique(labels[candidates], return_counts=True)[1]
        return self

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        votes = NEIGHBOURS * super().predict_proba(features)
        return _normalised((votes + 0.5) / (self.rows_ if self.balanced else 1))


def _normalised(values: np.ndarray) -> np.ndarray:
    return values / values.sum(1, keepdims=True)


@contextmanager
def _quiet_and_single_threaded() -> Iterator[None]:
    """Fits that are stopped early are only regularised a little more, and a class may be missing from a fold.

    One thread: threads that wait for each other make many small products forty times as slow on a busy machine.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "Number of classes in training fold", RuntimeWarning)
        yield
