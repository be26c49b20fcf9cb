"""AUC and its interval against values worked out by hand, and folds that keep groups whole."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tunebook.data.audit.separability import FOLDS, delong, grouped_folds, separate


def test_delong_by_hand():
    # Of 2 x 3 pairs the second is higher in 4 and equal in 1.
    auc, variance = delong(np.array([0.1, 0.4, 0.6]), np.array([0.5, 0.6]))
    above = [2 / 3, 2.5 / 3]
    below = [1.0, 1.0, 0.25]
    assert auc == pytest.approx(4.5 / 6)
    assert variance == pytest.approx(np.var(above, ddof=1) / 2 + np.var(below, ddof=1) / 3)


def test_delong_agrees_with_scikit_learn_and_with_repetition():
    generator = np.random.default_rng(0)
    seen = [delong(generator.normal(0, 1, 80), generator.normal(1, 1, 50)) for _ in range(400)]
    aucs, variances = np.array(seen).T
    assert np.std(aucs) == pytest.approx(np.sqrt(variances.mean()), rel=0.1)
    first, second = generator.normal(0, 1, 30), generator.normal(1, 1, 40)
    wanted = roc_auc_score([0] * 30 + [1] * 40, np.concatenate([first, second]))
    assert delong(first, second)[0] == pytest.approx(wanted)


def test_folds_keep_groups_and_shares():
    generator = np.random.default_rng(0)
    second = (np.arange(1000) >= 800).astype(int)
    groups = generator.integers(0, 600, 1000)
    folds = grouped_folds(second, groups, seed=1)
    assert all(len(set(folds[groups == group])) == 1 for group in set(groups))
    counts = np.array([[(second[folds == fold] == which).sum() for which in (0, 1)] for fold in range(FOLDS)])
    assert abs(counts[:, 0] - 160).max() <= 16
    assert abs(counts[:, 1] - 40).max() <= 8
    assert (folds == grouped_folds(second, groups, seed=1)).all()
    assert (folds != grouped_folds(second, groups, seed=2)).any()


def test_the_feature_that_tells_has_the_largest_weight_and_its_sign():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(400, 5))
    second = np.arange(400) % 2
    features[:, 3] -= 2 * second
    found = separate(features, second, np.arange(400), 1.0, 0)
    assert found is not None
    assert int(np.abs(found.weights).argmax()) == 3
    assert found.weights[3] < 0
    assert 0.85 < found.low < found.auc < found.high < 0.97


def test_too_few_different_rows_say_nothing():
    second = np.arange(40) % 2
    assert separate(np.ones((40, 1)), second, np.arange(40) % 4, 1.0, 0) is None
