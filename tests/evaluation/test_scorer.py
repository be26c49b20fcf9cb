"""The scorer: figures with and without thresholds, and what it refuses before anything is trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from transformers import EvalPrediction

from tunebook.answers.many_labels import ManyLabels
from tunebook.answers.number import Number
from tunebook.answers.one_label import OneLabel
from tunebook.errors import DataError
from tunebook.evaluation.scorer import Scorer

SPLITS = {"train", "validation", "test"}


def two_classes(seed: int, threshold=None, positive=None):
    """A scorer, row scores and labels whose best border lies far from a half."""
    draw = np.random.default_rng(seed)
    labels = (draw.random(300) < 0.2).astype(np.int64)
    odds = torch.tensor(1.5 * labels + draw.normal(0, 1, 300) - 2.5)
    answer = OneLabel(threshold, positive)
    scores = answer.row_scores(torch.stack([torch.zeros(300), odds], dim=1), torch.tensor(labels)).numpy()
    metrics = ["f1:spam", "accuracy", "average_precision"]
    return Scorer.of(metrics, answer, ["ham", "spam"], SPLITS), scores, labels


def test_while_training_nothing_is_tuned():
    scorer, scores, labels = two_classes(0, "tuned")
    plain, _, _ = two_classes(0)
    seen = EvalPrediction(predictions=scores, label_ids=labels)
    assert scorer(seen) == plain(seen) == plain.figures(scores, labels)
    assert scorer(seen)["loss"] == pytest.approx(scores[:, -1].mean())


def test_a_tuned_threshold_raises_the_f1_of_the_positive_class():
    scorer, scores, labels = two_classes(0, "tuned")
    found = scorer.thresholds(scores, labels)
    assert list(found.values) == [1]
    assert found.values[1] < 0.4
    tuned, plain = scorer.figures(scores, labels, found.values), scorer.figures(scores, labels)
    answered = OneLabel().probabilities(scores)[:, 1] >= found.values[1]
    assert tuned["f1:spam"] == pytest.approx(f1_score(labels, answered))
    assert tuned["f1:spam"] > plain["f1:spam"] + 0.1
    assert tuned["average_precision"] == plain["average_precision"]
    assert tuned["loss"] == plain["loss"]


def test_the_positive_class_is_the_one_that_is_tuned():
    scorer, scores, labels = two_classes(0, "tuned", "ham")
    assert list(scorer.thresholds(scores, labels).values) == [0]


def test_a_stated_threshold_needs_no_rows():
    scorer, _, _ = two_classes(0, 0.3)
    found = scorer.thresholds(None, None)
    assert (found.values, found.tuned) == ({1: 0.3}, False)
    many = Scorer.of(["f1_macro"], ManyLabels(0.4), ["a", "b"], {"train"})
    assert many.thresholds(None, None).values == {0: 0.4, 1: 0.4}
    assert Scorer.of(["mae"], Number(), [], SPLITS).thresholds(None, None) is None


@pytest.mark.parametrize(
    ("answer", "names", "splits", "says"),
    [
        (OneLabel("tuned"), ["a", "b"], {"train", "test"}, r"task\.threshold.*needs a validation split"),
        (ManyLabels("tuned"), ["a", "b", "c"], {"train"}, r"dataset\.split\.validation=0\.1"),
        (OneLabel(0.3), ["a", "b", "c"], SPLITS, r"task\.threshold.*two classes.*here are 3"),
        (OneLabel("tuned", "spma"), ["ham", "spam"], SPLITS, r"task\.positive.*did you mean spam\?"),
    ],
)
def test_what_cannot_be_had_is_refused(answer, names, splits, says):
    with pytest.raises(DataError, match=says):
        Scorer.of(["f1_macro"], answer, names, splits)
