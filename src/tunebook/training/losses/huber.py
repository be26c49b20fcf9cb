"""Huber's loss of a number: squared near the label, straight far from it. Knows logits and labels only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tunebook.data.sampling.base import TrainTargets
from tunebook.training.losses.base import LossOptions

if TYPE_CHECKING:
    import torch

TARGETS = {"regression"}


class Options(LossOptions):
    """Where it turns straight.

    Args:
        delta: distance from the label, in its unit, from which on the loss grows straight, above 0.
    """

    delta: float = Field(default=1.0, gt=0)


class Loss:
    """Half the square up to delta, then delta times (distance - delta / 2) (Huber 1964): outliers pull less."""

    def __init__(self, options: Options, targets: TrainTargets, label_smoothing: float) -> None:
        self.delta = options.delta

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """See `tunebook.training.losses.base.Loss`."""
        from torch.nn import functional

        predictions = logits.float().squeeze(-1)
        return functional.huber_loss(predictions, labels.float(), reduction="none", delta=self.delta)
