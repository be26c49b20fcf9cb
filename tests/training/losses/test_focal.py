import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from tunebook.data.labels.single_label import SingleLabel
from tunebook.data.sampling.base import TrainTargets
from tunebook.training.losses import cross_entropy, focal

ROWS = TrainTargets(SingleLabel(), tuple("abcd"), np.array([0, 0, 0, 0, 1, 1, 2, 3]))


@pytest.fixture
def batch():
    draw = torch.Generator().manual_seed(0)
    return torch.randn(9, 4, generator=draw) * 3, torch.randint(0, 4, (9,), generator=draw)


def loss(smoothing=0.0, **options):
    return focal.Loss(focal.Options(**options), ROWS, smoothing)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("given", [None, "balanced", {"c": 4.0}])
def test_gamma_0_is_cross_entropy(batch, given, smoothing):
    plain = cross_entropy.Loss(cross_entropy.Options(class_weights=given), ROWS, smoothing)
    assert torch.allclose(loss(smoothing, gamma=0, class_weights=given)(*batch), plain(*batch), atol=1e-6)


def test_it_is_the_formula_of_the_paper(batch):
    logits, labels = batch
    expected = []
    for row, label in zip(logits.double().softmax(-1).tolist(), labels.tolist(), strict=True):
        weight = [0.5, 1.0, 2.0, 2.0][label]  # balanced: 8 rows / (4 classes × rows of the class)
        expected.append(-weight * (1 - row[label]) ** 2.5 * math.log(row[label]))
    assert loss(gamma=2.5, class_weights="balanced")(logits, labels).tolist() == pytest.approx(expected, rel=1e-4)


def test_a_learned_row_counts_for_less_by_the_factor_of_the_paper():
    # Lin et al.: with gamma 2 a row at p = 0.9 counts 100 times less than in cross-entropy.
    logits = torch.tensor([[0.9, 0.1]]).log()
    label = torch.tensor([0])
    assert (functional.cross_entropy(logits, label) / loss_of_two()(logits, label)).item() == pytest.approx(
        100, rel=1e-4
    )


def loss_of_two():
    return focal.Loss(focal.Options(), TrainTargets(SingleLabel(), ("a", "b"), np.array([0, 1])), 0.0)


def test_shares_of_classes_mix_the_losses(batch):
    logits, labels = batch
    other = (labels + 1) % 4
    shares = 0.7 * torch.eye(4)[labels] + 0.3 * torch.eye(4)[other]
    one = loss(class_weights="balanced")
    assert torch.allclose(one(logits, shares), 0.7 * one(logits, labels) + 0.3 * one(logits, other), atol=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_gradients_are_finite_where_the_model_is_wholly_sure(gamma):
    logits = torch.tensor([[200.0, 0, 0, 0], [0, 200.0, 0, 0]], requires_grad=True)
    losses = loss(gamma=gamma)(logits, torch.tensor([0, 0]))
    losses.sum().backward()
    assert torch.isfinite(logits.grad).all()
    assert losses.tolist() == pytest.approx([0, 200])


def test_it_is_float32_for_logits_of_half_precision(batch):
    logits, labels = batch
    assert loss()(logits.bfloat16(), labels).dtype == torch.float32
