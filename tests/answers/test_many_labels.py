import numpy as np
import pytest
import torch
from torch.nn import functional

from tunebook.answers.many_labels import ManyLabels


@pytest.fixture
def batch():
    draw = torch.Generator().manual_seed(0)
    return torch.randn(9, 4, generator=draw), torch.randint(0, 2, (9, 4), generator=draw).float()


def test_row_scores_are_each_labels_probability_and_the_mean_loss(batch):
    logits, labels = batch
    scores = ManyLabels().row_scores(logits, labels)
    assert scores.shape == (9, 5)
    assert torch.allclose(scores[:, :-1], logits.sigmoid())
    one_by_one = [functional.binary_cross_entropy_with_logits(a, b) for a, b in zip(logits, labels, strict=True)]
    assert torch.allclose(scores[:, -1], torch.stack(one_by_one))


def test_every_label_is_answered_from_its_own_threshold_on(batch):
    logits, labels = batch
    scores = ManyLabels().row_scores(logits, labels).numpy()
    assert ManyLabels().answered(scores).tolist() == (logits >= 0).int().tolist()
    answered = ManyLabels().answered(scores, {0: 0.2, 3: 0.9})
    least = torch.tensor([0.2, 0.5, 0.5, 0.9])
    assert answered.tolist() == (logits.sigmoid() >= least).int().tolist()
    assert ManyLabels().answered(np.array([[0.2, 0.0]]), {0: 0.2}).tolist() == [[1]]


def test_a_record_names_all_labels():
    scores = np.array([0.75, 0.25, 0.5, 0.3])
    record = ManyLabels().record(scores, np.array([1, 1, 0]), ["a", "b", "c"], {2: 0.6})
    assert record == {
        "label": ["a", "b"],
        "predicted": ["a"],
        "probabilities": {"a": 0.75, "b": 0.25, "c": 0.5},
        "correct": False,
    }
    assert ManyLabels().record(scores, np.array([1, 0, 1]), ["a", "b", "c"])["correct"] is True
