"""Cross-entropy of one label a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tunebook.training.losses.base import LossOptions

if TYPE_CHECKING:
    import torch

    from tunebook.data.sampling.base import TrainLabels

LABELS = {"class"}


class Options(LossOptions):
    """How classes count.

    Args:
        label_smoothing: share of the target spread evenly over all classes (Szegedy et al. 2016), in [0, 1); None:
            `hyperparameters.label_smoothing_factor`.
    """

    label_smoothing: float | None = Field(default=None, ge=0, lt=1)


class Loss:
    """Cross-entropy with smoothing."""

    def __init__(self, options: Options, labels: TrainLabels, label_smoothing: float) -> None:
        self.smoothing = label_smoothing if options.label_smoothing is None else options.label_smoothing

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """See `tunebook.training.losses.base.Loss`."""
        from torch.nn import functional

        return functional.cross_entropy(logits.float(), labels, reduction="none", label_smoothing=self.smoothing)
