import numpy as np
import pytest
import torch

from tunebook.data.labels.regression import Regression
from tunebook.data.sampling.base import TrainTargets
from tunebook.training.losses import huber, mse

ROWS = TrainTargets(Regression(), (), np.array([1.0, 2.0]))


@pytest.fixture
def batch():
    draw = torch.Generator().manual_seed(0)
    return torch.randn(9, 1, generator=draw) * 3, torch.randn(9, generator=draw)


def test_squared_error_is_that_of_pytorch(batch):
    logits, labels = batch
    ours = mse.Loss(mse.Options(), ROWS, 0.0)(logits, labels)
    assert ours.shape == (9,), "not (9, 9), every row against every other"
    assert torch.allclose(ours, torch.nn.MSELoss(reduction="none")(logits[:, 0], labels))


@pytest.mark.parametrize("delta", [0.5, 1.0, 3.0])
def test_hubers_loss_is_that_of_pytorch(batch, delta):
    logits, labels = batch
    ours = huber.Loss(huber.Options(delta=delta), ROWS, 0.0)(logits, labels)
    assert torch.allclose(ours, torch.nn.HuberLoss(reduction="none", delta=delta)(logits[:, 0], labels))


def test_both_are_float32_for_half_precision_and_doubles(batch):
    logits, labels = batch
    for loss in (mse.Loss(mse.Options(), ROWS, 0.0), huber.Loss(huber.Options(), ROWS, 0.0)):
        assert loss(logits.bfloat16(), labels.double()).dtype == torch.float32
