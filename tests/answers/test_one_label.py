import numpy as np
import pytest
import torch

from tunebook.answers.base import positive_id
from tunebook.answers.one_label import OneLabel


def batch(classes):
    draw = torch.Generator().manual_seed(0)
    return torch.randn(9, classes, generator=draw), torch.randint(0, classes, (9,), generator=draw)


@pytest.mark.parametrize(("classes", "columns"), [(4, 3), (2, 4)])
def test_row_scores_are_the_prediction_its_probability_and_the_loss(classes, columns):
    logits, labels = batch(classes)
    scores = OneLabel().row_scores(logits, labels)
    probabilities = logits.softmax(-1)
    assert scores.shape == (9, columns)
    assert torch.equal(scores[:, 0].long(), logits.argmax(-1))
    assert torch.allclose(scores[:, 1], probabilities.max(-1).values)
    assert torch.allclose(scores[:, -1], -probabilities[torch.arange(9), labels].log(), atol=1e-6)
    assert OneLabel().answered(scores.numpy()).tolist() == logits.argmax(-1).tolist()


def test_both_probabilities_of_two_classes_are_kept_and_no_others():
    logits, labels = batch(2)
    both = OneLabel().probabilities(OneLabel().row_scores(logits, labels).numpy())
    assert both == pytest.approx(logits.double().softmax(-1).numpy(), abs=1e-6)
    assert OneLabel().probabilities(OneLabel().row_scores(*batch(3)).numpy()) is None


def test_the_probability_of_what_is_all_but_sure_is_not_rounded_away():
    logits = torch.tensor([[40.0, 0.0], [30.0, 0.0]])
    both = OneLabel().probabilities(OneLabel().row_scores(logits, torch.tensor([0, 0])).numpy())
    assert 0 < both[0, 1] < both[1, 1]


@pytest.mark.parametrize(("positive", "threshold"), [(1, 0.3), (1, 0.9), (0, 0.3)])
def test_a_threshold_decides_between_two_classes(positive, threshold):
    logits, labels = batch(2)
    chance = logits.softmax(-1)[:, positive].numpy()
    expected = np.where(chance >= threshold, positive, 1 - positive)
    scores = OneLabel().row_scores(logits, labels).numpy()
    assert OneLabel().answered(scores, {positive: threshold}).tolist() == expected.tolist()
    assert expected.tolist() != logits.argmax(-1).tolist()


def test_a_record_names_the_classes():
    record = OneLabel().record(np.array([1, 0.75, 0.3]), np.int64(0), ["no", "yes", "other"])
    assert record == {"label": "no", "predicted": "yes", "probability": 0.75, "correct": False}


def test_a_record_by_a_threshold_has_the_probability_of_what_it_answers():
    scores = np.array([1, 0.75, np.log(3), 0.3])
    record = OneLabel().record(scores, np.int64(0), ["no", "yes"], {1: 0.8})
    assert record == {"label": "no", "predicted": "no", "probability": pytest.approx(0.25), "correct": True}


def test_the_positive_class_is_the_named_one_or_the_last():
    assert positive_id(OneLabel(), ["ham", "spam"]) == 1
    assert positive_id(OneLabel(positive="ham"), ["ham", "spam"]) == 0
