"""Focal loss of several labels a row: what is learned already counts for less. Knows logits and labels only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tunebook.training.losses._class_weights import PositiveWeights, positive_weights, share_of_weights
from tunebook.training.losses.base import LossOptions

if TYPE_CHECKING:
    import torch

    from tunebook.data.sampling.base import TrainTargets

TARGETS = {"multi_label"}


class Options(LossOptions):
    """How labels count.

    Args:
        gamma: how much what is learned is played down, at least 0; 0 is binary cross-entropy.
        positive_weights: as in `loss.name=binary_cross_entropy`; None: alike.
        max_positive_weight: of a balanced weight.
        label_smoothing: how far 0 and 1 are moved to one half, in [0, 1); None:
            `hyperparameters.label_smoothing_factor`.
    """

    gamma: float = Field(default=2.0, ge=0)
    positive_weights: PositiveWeights | None = None
    max_positive_weight: float = Field(default=20.0, ge=1)
    label_smoothing: float | None = Field(default=None, ge=0, lt=1)


class Loss:
    """The mean over the labels of Lin et al.'s loss (2017, arXiv 1708.02002) with the sigmoid, a row."""

    def __init__(self, options: Options, targets: TrainTargets, label_smoothing: float) -> None:
        self.gamma = options.gamma
        self.smoothing = label_smoothing if options.label_smoothing is None else options.label_smoothing
        self.weights = positive_weights(options.positive_weights, options.max_positive_weight, targets)
        self.scale = share_of_weights(self.weights, targets)

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
