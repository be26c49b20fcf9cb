"""Focal loss of one label a row: rows that are learned already count for less. Knows logits and labels only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tunebook.data.sampling.base import TrainTargets
from tunebook.training.losses import cross_entropy

if TYPE_CHECKING:
    import torch

    from tunebook.data.sampling.base import TrainTargets

TARGETS = {"single_label", "token_labels", "token_ids"}


class Options(cross_entropy.Options):
    """How rows and classes count; what is not listed is as in `loss.name=cross_entropy`.

    Args:
        gamma: how much learned rows are played down, at least 0; 0 is cross-entropy.
        class_weights: the paper's alpha.
    """

    gamma: float = Field(default=2.0, ge=0)


class Loss(cross_entropy.Loss):
    """-weight (1 - p)^gamma log p of the label's probability p (Lin et al. 2017, arXiv 1708.02002).

    A row of several classes (mixed, or smoothed) is charged for each of them by its share.
    """

    def __init__(self, options: Options, targets: TrainTargets, label_smoothing: float) -> None:
        super().__init__(options, targets, label_smoothing)
        self.gamma = options.gamma

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """See `tunebook.training.losses.base.Loss`."""
        import torch
        from torch.nn import functional

        log_p = functional.log_softmax(logits.float(), dim=-1)
        shares = labels if labels.is_floating_point() else functional.one_hot(labels, log_p.shape[-1])
        shares = shares * (1 - self.smoothing) + self.smoothing / log_p.shape[-1]
        if self.weights is not None:
            shares = shares * log_p.new_tensor(self.weights)
        # Below gamma 1 the power's slope is infinite at p = 1, which would make the gradient NaN.
        missed = (-log_p.expm1()).clamp(min=torch.finfo(log_p.dtype).eps)
        return -(shares * missed**self.gamma * log_p).sum(dim=-1)
