"""How well a simple classifier separates two sets of rows: AUC out of fold, with its interval. Knows only numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

FOLDS = 5
Z95 = 1.959964


@dataclass(frozen=True)
class Separability:
    """How well two sets can be separated.

    Args:
        auc: area under the ROC curve, mean of five folds; 0.5: not at all, 1: wholly.
        low: of the 95 % interval.
        high: likewise.
        scores: out-of-fold probability of the second set, (rows,).
        weights: of the features, in deviations of each, fitted on every row; above 0 points to the second set.
    """

    auc: float
    low: float
    high: float
    scores: np.ndarray
    weights: np.ndarray


def separate(features: Any, second: np.ndarray, groups: np.ndarray, strength: float, seed: int) -> Separability | None:
    """Logistic regression in 5-fold cross-validation; rows of one group stay in one fold.

    Folds are averaged, not pooled, because scores of different folds come from different models. Each fold's AUC
    has DeLong's variance (DeLong et al. 1988); that of their mean is corrected for the training rows that folds
    share (Nadeau & Bengio 2003), without which the interval would miss 0.5 too often.

    Args:
        features: sparse or dense, (rows, features).
        second: 0 for rows of the first set, 1 for those of the second, (rows,).
        groups: rows with the same number hold the same input, (rows,).
        strength: inverse of the regularisation, as in scikit-learn's `C`.
        seed: of the folds.

    Returns:
        None where the groups are too few for every fold to hold two rows of each set.
    """
    folds = grouped_folds(second, groups, seed)
    if min(np.bincount(folds[second == which], minlength=FOLDS).min() for which in (0, 1)) < 2:
        return None
    scores = np.zeros(len(second))
    aucs, variances = [], []
    for fold in range(FOLDS):
        held = folds == fold
        model = _fitted(features[~held], second[~held], strength)
        scores[held] = model.predict_proba(features[held])[:, 1]
        auc, variance = delong(scores[held & (second == 0)], scores[held & (second == 1)])
        aucs.append(auc)
        variances.append(variance)
    auc = float(np.mean(aucs))
    half = Z95 * float(np.sqrt(np.mean(variances) * (1 / FOLDS + 1 / (FOLDS - 1))))
    weights = _fitted(features, second, strength).coef_[0] * _deviations(features)
    return Separability(auc, max(0.0, auc - half), min(1.0, auc + half), scores, weights)


def grouped_folds(second: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """A fold for each row: groups whole, and both sets spread evenly over the folds."""
    _, groups = np.unique(groups, return_inverse=True)
    sizes = np.stack([np.bincount(groups, second == which) for which in (0, 1)])
    # Groups of the same composition are assigned in turn, so that every fold gets its share of each.
    order = np.lexsort((np.random.default_rng(seed).permutation(sizes.shape[1]), *sizes))
    fold = np.empty(sizes.shape[1], dtype=int)
    fold[order] = np.arange(len(order)) % FOLDS
    return fold[groups]


def delong(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """AUC of scores that should be higher in the second set, and its variance.

    DeLong, DeLong & Clarke-Pearson (1988), by mid-ranks as in Sun & Xu (2014).
    """
    from scipy.stats import rankdata

    m, n = len(second), len(first)
    together = rankdata(np.concatenate([second, first]))
    above = (together[:m] - rankdata(second)) / n
    below = 1 - (together[m:] - rankdata(first)) / m
    return float(above.mean()), float(above.var(ddof=1) / m + below.var(ddof=1) / n)


def _fitted(features: Any, second: np.ndarray, strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, class_weight="balanced", solver="liblinear", max_iter=1000, random_state=0)
    return model.fit(features, second)


def _deviations(features: Any) -> np.ndarray:
    from sklearn.preprocessing import StandardScaler

    return np.sqrt(StandardScaler(with_mean=False).fit(features).var_)
