import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from transformers.trainer_pt_utils import LabelSmoother

from tunebook.data.sampling.base import TrainLabels
from tunebook.training.losses import cross_entropy


@pytest.fixture
def batch():
    draw = torch.Generator().manual_seed(0)
    return torch.randn(9, 4, generator=draw), torch.randint(0, 4, (9,), generator=draw)


def loss(smoothing=0.0, **options):
    labels = TrainLabels("class", tuple("abcd"), np.array([0, 1, 2, 3]))
    return cross_entropy.Loss(cross_entropy.Options(**options), labels, smoothing)


def test_the_sum_is_scikit_learns_log_loss(batch):
    logits, labels = batch
    expected = log_loss(labels.numpy(), logits.double().softmax(-1).numpy(), labels=range(4)) * len(labels)
    assert loss()(logits, labels).sum().item() == pytest.approx(expected, rel=1e-5)


def test_label_smoothing_is_that_of_transformers(batch):
    logits, labels = batch
    theirs = LabelSmoother(epsilon=0.1)({"logits": logits}, labels)
    assert loss(0.1)(logits, labels).mean().item() == pytest.approx(theirs.item(), rel=1e-5)
    assert torch.equal(loss(label_smoothing=0.1)(logits, labels), loss(0.1)(logits, labels))


def test_shares_of_classes_mix_the_losses(batch):
    logits, labels = batch
    other = (labels + 1) % 4
    shares = 0.7 * torch.eye(4)[labels] + 0.3 * torch.eye(4)[other]
    mixed = 0.7 * loss()(logits, labels) + 0.3 * loss()(logits, other)
    assert torch.allclose(loss()(logits, shares), mixed, atol=1e-6)


def test_it_is_float32_for_logits_of_half_precision(batch):
    logits, labels = batch
    assert loss()(logits.bfloat16(), labels).dtype == torch.float32
