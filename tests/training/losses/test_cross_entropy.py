import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from transformers.trainer_pt_utils import LabelSmoother

from tunebook.data.labels.single_label import SingleLabel
from tunebook.data.sampling.base import TrainTargets
from tunebook.training.losses import cross_entropy


@pytest.fixture
def batch():
    draw = torch.Generator().manual_seed(0)
    return torch.randn(9, 4, generator=draw), torch.randint(0, 4, (9,), generator=draw)


def loss(smoothing=0.0, **options):
    labels = TrainTargets(SingleLabel(), tuple("abcd"), np.array([0, 1, 2, 3]))
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


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_weights_are_those_of_pytorch_up_to_a_constant_that_the_training_rows_fix(batch, smoothing):
    logits, labels = batch
    given = torch.tensor([1.0, 2.0, 5.0, 0.5])
    ours = loss(smoothing, class_weights=given.tolist())(logits, labels)
    # The fixture's training rows hold each class once, so the weights' mean over them is that over the classes.
    theirs = torch.nn.CrossEntropyLoss(given / given.mean(), reduction="none", label_smoothing=smoothing)
    assert torch.allclose(ours, theirs(logits, labels))
    mean = torch.nn.CrossEntropyLoss(given, label_smoothing=smoothing)(logits, labels)
    assert ours.sum().item() == pytest.approx((mean * given[labels].sum() / given.mean()).item(), rel=1e-5)


def test_weights_follow_the_training_rows_and_not_the_batch():
    rows = TrainTargets(SingleLabel(), ("ham", "spam"), np.array([0, 0, 0, 1]))
    weighted = cross_entropy.Loss(cross_entropy.Options(class_weights="balanced"), rows, 0.0)
    logits = torch.zeros(3, 2)
    assert weighted(logits, torch.tensor([1, 1, 1])).tolist() == pytest.approx([2 * np.log(2)] * 3)
    assert weighted(logits, torch.tensor([0, 0, 0])).tolist() == pytest.approx([2 / 3 * np.log(2)] * 3)


def test_a_mixed_row_is_weighted_class_by_class(batch):
    logits, labels = batch
    other = (labels + 1) % 4
    shares = 0.7 * torch.eye(4)[labels] + 0.3 * torch.eye(4)[other]
    weighted = loss(class_weights={"b": 3.0, "d": 7.0})
    assert torch.allclose(weighted(logits, shares), 0.7 * weighted(logits, labels) + 0.3 * weighted(logits, other))
