"""Focal loss of several labels a row: what is learned already counts for less. Knows logits and labels only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tunebook.data.sampling.base import TrainTargets
from tunebook.training.losses import binary_cross_entropy

if TYPE_CHECKING:
    import torch

TARGETS = {"multi_label"}


class Options(binary_cross_entropy.Options):
    """How labels count; what is not listed is as in `loss.name=binary_cross_entropy`.

    Args:
        gamma: how much what is learned is played down, at least 0; 0 is binary cross-entropy.
    """

    gamma: float = Field(default=2.0, ge=0)


class Loss(binary_cross_entropy.Loss):
    """The mean over the labels of Lin et al.'s loss (2017, arXiv 1708.02002) with the sigmoid, a row."""

    def __init__(self, options: Options, targets: TrainTargets, label_smoothing: float) -> None:
        super().__init__(options, targets, label_smoothing)
        self.gamma = options.gamma

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """See `tunebook.training.losses.base.Loss`."""
        import torch
        from torch.nn import functional

        logits = logits.float()
        positive = labels.float() * (1 - self.smoothing) + self.smoothing / 2
        negative = 1 - positive
        if self.weights is not None:
            positive = positive * logits.new_tensor(self.weights)
        # Below gamma 1 the power's slope is infinite at 0, which would make the gradient NaN.
        least = torch.finfo(logits.dtype).eps
        has, lacks = logits.sigmoid().clamp(min=least), (-logits).sigmoid().clamp(min=least)
        losses = positive * lacks**self.gamma * functional.softplus(-logits)
        losses = losses + negative * has**self.gamma * functional.softplus(logits)
        return self.scale * losses.mean(dim=-1)
