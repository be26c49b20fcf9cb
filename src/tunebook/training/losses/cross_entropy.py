"""Cross-entropy of one label a row, with weights of classes and label smoothing. Knows logits and labels only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tunebook.data.sampling.base import TrainTargets
from tunebook.training.losses._class_weights import ClassWeights, class_weights
from tunebook.training.losses.base import LossOptions

if TYPE_CHECKING:
    import torch

    from tunebook.data.sampling.base import TrainTargets

TARGETS = {"single_label", "token_labels", "token_ids"}


class Options(LossOptions):
    """How classes count.

    Args:
        class_weights: `balanced` (one over the class's training rows), `effective` (one over its effective number
            of samples, Cui et al. 2019), a list in the order of the labels' ids, or label to weight, in which a label
            that is not named weighs 1; all are scaled to mean 1 over the training rows. None: every row alike.
        beta: of `effective`, in [0, 1).
        label_smoothing: share of the target spread evenly over all classes (Szegedy et al. 2016), in [0, 1); None:
            `hyperparameters.label_smoothing_factor`.
    """

    class_weights: ClassWeights | None = None
    beta: float = Field(default=0.999, ge=0, lt=1)
    label_smoothing: float | None = Field(default=None, ge=0, lt=1)


class Loss:
    """PyTorch's cross-entropy; a row of several classes is charged for each by its share and that class's weight."""

    def __init__(self, options: Options, targets: TrainTargets, label_smoothing: float) -> None:
        self.smoothing = label_smoothing if options.label_smoothing is None else options.label_smoothing
        self.weights = class_weights(options.class_weights, options.beta, targets)

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """See `tunebook.training.losses.base.Loss`."""
        from torch.nn import functional

        logits = logits.float()
        weights = None if self.weights is None else logits.new_tensor(self.weights)
        return functional.cross_entropy(
            logits, labels, weight=weights, reduction="none", label_smoothing=self.smoothing
        )
