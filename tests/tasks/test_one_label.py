import pytest
import torch
from sklearn.metrics import log_loss
from transformers.trainer_pt_utils import LabelSmoother

from tunebook.tasks import _one_label
from tunebook.tasks.base import NOT_COUNTED


@pytest.fixture
def batch():
    draw = torch.Generator().manual_seed(0)
    return torch.randn(9, 4, generator=draw), torch.randint(0, 4, (9,), generator=draw)


def test_the_loss_is_the_sum_of_scikit_learns_log_loss(batch):
    logits, labels = batch
    expected = log_loss(labels.numpy(), logits.double().softmax(-1).numpy(), labels=range(4)) * len(labels)
    assert _one_label.loss_sum(logits, labels, 0.0).item() == pytest.approx(expected, rel=1e-5)


def test_label_smoothing_is_that_of_transformers(batch):
    logits, labels = batch
    theirs = LabelSmoother(epsilon=0.1)({"logits": logits}, labels)
    assert _one_label.loss_sum(logits, labels, 0.1).item() / len(labels) == pytest.approx(theirs.item(), rel=1e-5)


def test_rows_that_do_not_count_add_nothing(batch):
    logits, labels = batch
    masked = labels.clone()
    masked[3:] = NOT_COUNTED
    for smoothing in (0.0, 0.1):
        kept = _one_label.loss_sum(logits[:3], labels[:3], smoothing)
        assert torch.equal(_one_label.loss_sum(logits, masked, smoothing), kept)
    assert _one_label.loss_sum(logits, torch.full_like(labels, NOT_COUNTED), 0.0) == 0.0


def test_the_loss_is_float32_for_logits_of_half_precision(batch):
    logits, labels = batch
    assert _one_label.loss_sum(logits.bfloat16(), labels, 0.0).dtype == torch.float32


def test_row_scores_are_the_prediction_its_probability_and_the_loss(batch):
    logits, labels = batch
    scores = _one_label.row_scores(logits, labels)
    probabilities = logits.softmax(-1)
    assert scores.shape == (9, 3)
    assert torch.equal(scores[:, 0].long(), logits.argmax(-1))
    assert torch.allclose(scores[:, 1], probabilities.max(-1).values)
    assert torch.allclose(scores[:, 2], -probabilities[torch.arange(9), labels].log(), atol=1e-6)
