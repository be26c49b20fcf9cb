"""Squared error of a number. Knows logits and labels only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunebook.data.sampling.base import TrainTargets
from tunebook.training.losses.base import LossOptions

if TYPE_CHECKING:
    import torch

TARGETS = {"regression"}


class Options(LossOptions):
    """Nothing to set."""


class Loss:
    """The square of the prediction less the label."""

    def __init__(self, options: Options, targets: TrainTargets, label_smoothing: float) -> None:
        self.options = options

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """See `tunebook.training.losses.base.Loss`."""
        # (rows, 1) less (rows,) would be every row less every other, (rows, rows), without a word from PyTorch.
        return (logits.float().squeeze(-1) - labels.float()) ** 2
