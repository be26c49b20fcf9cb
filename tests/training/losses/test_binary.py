import numpy as np
import pytest
import torch

from tunebook.data.labels.multi_label import MultiLabel
from tunebook.data.sampling.base import TrainTargets
from tunebook.training.losses import binary_cross_entropy, binary_focal

# 4 rows, 3 labels: in 1, 2 and 3 of them.
ROWS = TrainTargets(MultiLabel(), tuple("abc"), np.array([[1, 1, 1], [0, 1, 1], [0, 0, 1], [0, 0, 0]], dtype=np.int8))


@pytest.fixture
def batch():
    draw = torch.Generator().manual_seed(0)
    return torch.randn(9, 3, generator=draw) * 2, torch.randint(0, 2, (9, 3), generator=draw).float()


def entropy(smoothing=0.0, **options):
    return binary_cross_entropy.Loss(binary_cross_entropy.Options(**options), ROWS, smoothing)


def focal(smoothing=0.0, **options):
    return binary_focal.Loss(binary_focal.Options(**options), ROWS, smoothing)


def test_a_row_is_the_mean_of_its_labels(batch):
    logits, labels = batch
    rows = entropy()(logits, labels)
    assert rows.shape == (9,)
    assert rows.mean().item() == pytest.approx(torch.nn.BCEWithLogitsLoss()(logits, labels).item(), rel=1e-6)
    assert torch.allclose(entropy()(logits.bfloat16(), labels.int()), entropy()(logits.bfloat16().float(), labels))


def test_positive_weights_are_those_of_pytorch_up_to_a_constant_that_the_training_rows_fix(batch):
    logits, labels = batch
    theirs = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor([3.0, 1.0, 1 / 3]))(logits, labels)
    # 12 cells of training rows: 1 × 3 + 2 × 1 + 3 × 1/3 for those with the label and 6 for those without.
    assert entropy(positive_weights="balanced")(logits, labels).mean().item() == pytest.approx(theirs.item(), rel=1e-5)
    given = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor([7.0, 1.0, 1.0]))(logits, labels)
    ours = entropy(positive_weights={"a": 7.0})(logits, labels).mean()
    assert ours.item() == pytest.approx(12 / 18 * given.item(), rel=1e-5)


def test_smoothing_draws_both_answers_to_one_half(batch):
    logits, labels = batch
    expected = torch.nn.BCEWithLogitsLoss()(logits, labels * 0.8 + 0.1)
    for smoothed in (entropy(0.2), entropy(label_smoothing=0.2)):
        assert smoothed(logits, labels).mean().item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("given", [None, "balanced", [2.0, 3.0, 4.0]])
def test_focal_with_gamma_0_is_binary_cross_entropy(batch, given, smoothing):
    plain = entropy(smoothing, positive_weights=given)
    assert torch.allclose(focal(smoothing, gamma=0, positive_weights=given)(*batch), plain(*batch), atol=1e-6)


def test_focal_is_the_formula_of_the_paper(batch):
    logits, labels = batch
    right = torch.where(labels == 1, logits.sigmoid(), 1 - logits.sigmoid())
    expected = (-((1 - right) ** 2) * right.log()).mean(dim=1)
    assert torch.allclose(focal()(logits, labels), expected, rtol=1e-4)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_gradients_of_focal_are_finite_where_the_model_is_wholly_sure(gamma):
    logits = torch.tensor([[200.0, -200.0, 200.0]], requires_grad=True)
    losses = focal(gamma=gamma)(logits, torch.tensor([[1.0, 0.0, 0.0]]))
    losses.sum().backward()
    assert torch.isfinite(logits.grad).all()
    assert losses.item() == pytest.approx(200 / 3)
