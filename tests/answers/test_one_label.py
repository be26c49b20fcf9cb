import numpy as np
import pytest
import torch

from tunebook.answers.one_label import OneLabel


@pytest.fixture
def batch():
    draw = torch.Generator().manual_seed(0)
    return torch.randn(9, 4, generator=draw), torch.randint(0, 4, (9,), generator=draw)


def test_row_scores_are_the_prediction_its_probability_and_the_loss(batch):
    logits, labels = batch
    scores = OneLabel().row_scores(logits, labels)
    probabilities = logits.softmax(-1)
    assert scores.shape == (9, 3)
    assert torch.equal(scores[:, 0].long(), logits.argmax(-1))
    assert torch.allclose(scores[:, 1], probabilities.max(-1).values)
    assert torch.allclose(scores[:, 2], -probabilities[torch.arange(9), labels].log(), atol=1e-6)
    assert OneLabel().answered(scores.numpy()).tolist() == logits.argmax(-1).tolist()


def test_a_record_names_the_classes():
    record = OneLabel().record(np.array([1, 0.75, 0.3]), np.int64(0), ["no", "yes"])
    assert record == {"label": "no", "predicted": "yes", "probability": 0.75, "correct": False}
