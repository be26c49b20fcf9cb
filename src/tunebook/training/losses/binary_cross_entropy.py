"""Binary cross-entropy of several labels a row, with weights of positives. Knows logits and labels only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tunebook.data.sampling.base import TrainTargets
from tunebook.training.losses._class_weights import PositiveWeights, positive_weights, share_of_weights
from tunebook.training.losses.base import LossOptions

if TYPE_CHECKING:
    import torch

TARGETS = {"multi_label"}


class Options(LossOptions):
    """How labels count.

    Args:
        positive_weights: how much a row that has the label counts against one that has not: `balanced` (rows without
            it over rows with it), a list in the order of the labels' ids, or label to weight, in which a label that
            is not named weighs 1. All weights are scaled to mean 1 over training rows and labels. None: alike.
        max_positive_weight: a balanced weight is at most this and at least one over it: with a handful of rows
            a label would otherwise drown all others.
        label_smoothing: how far 0 and 1 are moved to one half, in [0, 1); None:
            `hyperparameters.label_smoothing_factor`.
    """

    positive_weights: PositiveWeights | None = None
    max_positive_weight: float = Field(default=20.0, ge=1)
    label_smoothing: float | None = Field(default=None, ge=0, lt=1)


class Loss:
    """The mean over the labels of PyTorch's binary cross-entropy, a row."""

    def __init__(self, options: Options, targets: TrainTargets, label_smoothing: float) -> None:
        self.smoothing = label_smoothing if options.label_smoothing is None else options.label_smoothing
        self.weights = positive_weights(options.positive_weights, options.max_positive_weight, targets)
        self.scale = share_of_weights(self.weights, targets)

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """See `tunebook.training.losses.base.Loss`."""
        from torch.nn import functional

        logits = logits.float()
        targets = labels.float() * (1 - self.smoothing) + self.smoothing / 2
        weights = None if self.weights is None else logits.new_tensor(self.weights)
        losses = functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=weights, reduction="none")
        return self.scale * losses.mean(dim=-1)
