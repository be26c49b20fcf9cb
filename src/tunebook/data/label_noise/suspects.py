"""Ranks labels by how probably they are wrong and says which are suspects, by confident learning (cleanlab)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Suspects:
    """What the probabilities say of the given labels.

    Args:
        quality: (rows,), in (0, 1]: the probability of the given label; of a multi-label row that of its labels'
            least sure one, smoothed over the others (cleanlab's average).
        places: of the suspects among the rows, the likeliest to be wrong first.
    """

    quality: np.ndarray
    places: np.ndarray


def find(labels: np.ndarray, probabilities: np.ndarray, share: float | None = None) -> Suspects:
    """Suspects among the given labels (confident learning, Northcutt et al. 2021, arXiv 1911.00068).

    Ranking and candidates are cleanlab's: the probability of the given label, and rows that are predicted otherwise.
    How many of them there are, for one label a row, is what the probabilities expect of themselves: the number of
    given labels that they expect to be wrong, less the number of their own predictions that they do. cleanlab's own
    estimate takes what a weak model does not know for noise, and misses half of what a good one sees. Where people
    err on rows that are hard for the model too, as is usual, this number is too small: to say what share is
    wrong, after reading a hundred rows, then gives far more, as the ranking is more certain than the number.

    Args:
        labels: (rows,) class ids, or (rows, labels) of 0 and 1.
        probabilities: out of fold, (rows, classes or labels).
        share: of the rows that are suspects, those of the lowest quality; None: estimated.
    """
    if labels.ndim == 1:
        quality = probabilities[np.arange(len(labels)), labels]
        wrong = None if share else _predicted_otherwise(labels, probabilities)
        expected = round(float((probabilities.max(1) - quality).sum()))
    else:
        from cleanlab.multilabel_classification import get_label_quality_scores
        from cleanlab.multilabel_classification.filter import find_label_issues

        listed = [np.flatnonzero(row).tolist() for row in labels]
        quality = get_label_quality_scores(listed, probabilities)
        wrong = None if share else find_label_issues(listed, probabilities, n_jobs=1)
        expected = len(labels)
    order = np.argsort(quality, kind="stable")
    places = order[: round((share or 0) * len(order))] if wrong is None else order[wrong[order]][:expected]
    return Suspects(np.clip(quality, 1e-6, 1), places)


def _predicted_otherwise(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    from cleanlab.filter import find_label_issues

    # cleanlab wants every class to occur; one that no row has can be suggested for none.
    present, packed = np.unique(labels, return_inverse=True)
    if len(present) < 2:
        return np.zeros(len(labels), dtype=bool)
    own = probabilities[:, present]
    return find_label_issues(packed, own / own.sum(1, keepdims=True), filter_by="predicted_neq_given", n_jobs=1)


def describe(labels: np.ndarray, probabilities: np.ndarray, place: int, names: list[str]) -> dict[str, Any]:
    """What a suspect is given and the likeliest other label, by name, with the probabilities of both.

    Of a multi-label row it is the one label that is likeliest to be wrong: `no X` where it is given, or missing.
    """
    row = probabilities[place]
    if labels.ndim == 1:
        given = int(labels[place])
        # With a stated share the given label may still be the likeliest; what speaks against it is the next one.
        best = int(np.where(np.arange(len(row)) == given, -1, row).argmax())
        pair, both = (names[given], names[best]), (row[given], row[best])
    else:
        has = labels[place] > 0
        right = np.where(has, row, 1 - row)
        worst = int(right.argmin())
        without = f"no {names[worst]}"
        pair = (names[worst], without) if has[worst] else (without, names[worst])
        both = (right[worst], 1 - right[worst])
    words = {"given": pair[0], "suggested": pair[1]}
    return {**words, **{f"probability_{key}": round(float(p), 6) for key, p in zip(words, both, strict=True)}}
