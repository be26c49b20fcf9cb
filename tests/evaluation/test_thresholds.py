"""Thresholds: the highest F1 there is, in the middle of its plateau, and nothing for labels that are too rare."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from tunebook.evaluation.thresholds import LEAST_ROWS, Thresholds, best_threshold, tune


def test_of_separable_rows_it_is_the_middle_of_the_gap():
    chances, labelled = np.array([0.1, 0.2, 0.6, 0.9]), np.array([0, 0, 1, 1])
    assert best_threshold(chances, labelled) == pytest.approx(0.4)


def test_no_other_threshold_has_a_higher_f1():
    random = np.random.default_rng(0)
    for _ in range(30):
        chances = np.round(random.random(60), 2)
        labelled = (random.random(60) < chances**2).astype(int)
        best = best_threshold(chances, labelled)
        scores = [f1_score(labelled, chances >= at, zero_division=0) for at in np.linspace(0.0005, 0.9995, 1000)]
        assert f1_score(labelled, chances >= best) == pytest.approx(max(scores), abs=1e-12)


def test_a_row_that_is_scored_so_is_answered():
    # Only 'from 0.3 on' catches both; the border must lie below 0.3, not on it.
    best = best_threshold(np.array([0.1, 0.3, 0.3]), np.array([0, 1, 1]))
    assert best == pytest.approx(0.2)


def test_of_several_plateaus_the_widest_is_taken():
    # F1 = 2/3 from 0.6 on (one of two, none wrong) and from 0.1 on (both, and two wrong): (0.12, 0.6] is the wider gap.
    chances, labelled = np.array([0.05, 0.1, 0.11, 0.12, 0.6]), np.array([0, 1, 0, 0, 1])
    scores = {at: f1_score(labelled, chances >= at) for at in (0.6, 0.1)}
    assert scores[0.6] == pytest.approx(scores[0.1]) == pytest.approx(2 / 3)
    assert best_threshold(chances, labelled) == pytest.approx((0.12 + 0.6) / 2)


def test_everything_or_nothing():
    assert best_threshold(np.array([0.4, 0.8]), np.array([1, 1])) == pytest.approx(0.2)
    assert best_threshold(np.array([0.4, 0.8]), np.array([0, 0])) == 0.5
    assert best_threshold(np.array([0.0, 0.0]), np.array([1, 1])) == 0.5
    assert 0 < best_threshold(np.array([0.0, 1.0, 1.0]), np.array([0, 1, 1])) < 1


def test_each_label_has_its_own_and_rare_ones_keep_a_half():
    rows = 40
    chances = np.tile(np.linspace(0, 0.8, rows)[:, None], 3)
    labelled = np.stack([chances[:, 0] > 0.5, chances[:, 1] > 0.2, np.arange(rows) < LEAST_ROWS - 1], axis=1).astype(
        int
    )
    found = tune(chances, labelled, [0, 1, 2])
    assert found.values[0] == pytest.approx(0.5, abs=0.02)
    assert found.values[1] == pytest.approx(0.2, abs=0.02)
    assert found.values[2] == 0.5
    assert found.rare == {2: LEAST_ROWS - 1}
    assert tune(chances, labelled[:, ::-1], [0]).rare == {0: LEAST_ROWS - 1}
    enough = labelled.copy()
    enough[LEAST_ROWS - 1, 2] = 1
    assert tune(chances, enough, [2]).rare == {}


def test_what_is_written_names_the_labels():
    tuned = Thresholds({0: 0.25, 2: 0.5}, tuned=True, rare={2: 3})
    assert tuned.plain(["a", "b", "c"]) == {
        "chosen": "on validation, each to maximize F1",
        "thresholds": {"a": 0.25, "c": 0.5},
        "too_rare_to_tune": {"c": 3},
    }
    assert Thresholds({1: 0.3}, tuned=False).plain(["a", "b"])["chosen"] == "as the recipe states"
