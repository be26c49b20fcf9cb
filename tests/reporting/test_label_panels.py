"""Panels of labels: figures equal scikit-learn's, the worst rows come first, and nothing wrong means no rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score

from tunebook.evaluation.thresholds import Thresholds
from tunebook.reporting.label_panels import Compared, multi_label, regression, single_label

NAMES = ["good", "bad", "never"]
ROWS = [{"row": 100 + at, "text": f"text {at}", "text_pair": f"pair {at}"} for at in range(60)]


def keys(panels):
    return [panel.key for panel in panels]


def test_one_label():
    random = np.random.default_rng(0)
    references, predictions = random.integers(0, 2, 60), random.integers(0, 2, 60)
    sure = np.round(random.random(60), 3)
    compared = Compared("test", ROWS, references, predictions, NAMES)
    assert keys(single_label(compared, sure)) == ["confusion", "mistakes"]
    tuned = Compared("test", ROWS, references, predictions, NAMES, Thresholds({1: 0.25}, tuned=True))
    confusion, labels, mistakes = single_label(tuned, sure)
    np.testing.assert_array_equal(confusion.plots[0].counts, confusion_matrix(references, predictions, labels=range(3)))
    expected = [
        [name, *(f"{one(references == at, predictions == at, zero_division=0):.4f}" for one in
                 (precision_score, recall_score, f1_score)), int((references == at).sum()), threshold]
        for at, (name, threshold) in enumerate(zip(NAMES, ["–", "0.2500", "–"], strict=True))
    ]  # fmt: skip
    assert labels.tables[0].rows == expected
    rows = [row for example in mistakes.examples for row in example.rows]
    wrong = sorted(np.flatnonzero(references != predictions), key=lambda at: -sure[at])[:10]
    assert [row.row for row in rows] == [100 + at for at in wrong]
    assert rows[0].text == f"text {wrong[0]}\n— pair {wrong[0]}"
    assert rows[0].facts == {"predicted": NAMES[predictions[wrong[0]]], "probability": f"{sure[wrong[0]]:.1%}"}


@pytest.mark.parametrize("tuned", [None, Thresholds({0: 0.3, 1: 0.4, 2: 0.5}, tuned=True, rare={2: 1})])
def test_several_labels(tuned):
    random = np.random.default_rng(1)
    references = (random.random((60, 3)) < 0.4).astype(int)
    compared = Compared("test", ROWS, references, references, NAMES, tuned)
    labels, mistakes = multi_label(compared, random.random(60))
    assert [row[5] for row in labels.tables[0].rows] == (
        ["0.3000", "0.4000", "0.5000*"] if tuned else ["0.5000", "0.5000", "0.5000"]
    )
    assert [row[1:4] for row in labels.tables[0].rows] == [["1.0000"] * 3] * 3
    assert bool(labels.note) == bool(tuned)
    assert (mistakes.examples, mistakes.note) == ([], "None.")


def test_numbers():
    references = np.linspace(0, 5, 60)
    predictions = references.copy()
    predictions[[3, 7]] += [0.5, -2]
    scatter, errors = regression(Compared("validation", ROWS, references, predictions))
    assert scatter.plots[0].y == predictions.tolist()
    assert [(example.rows[0].row, example.rows[0].facts["error"]) for example in errors.examples] == [
        (107, "-2"), (103, "+0.5"),
    ]  # fmt: skip
    assert errors.title == "Largest errors on validation"
