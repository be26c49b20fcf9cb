"""What a loss is. Knows logits and labels, nothing of tasks, models or the Trainer.

A loss is a file `tunebook/training/losses/NAME.py` (or an entry point `loss.NAME`) with `Options`, `TARGETS` (the
target types that it can take, of `Task.target_type`) and `Loss`. The file and its `Options` import no torch at
the top, so that checking a recipe stays quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tunebook.config.options import Options

if TYPE_CHECKING:
    import torch


class LossOptions(Options):
    """The base of a loss's own settings."""


class Loss(Protocol):
    """The loss of each element; built as `Loss(options, targets, label_smoothing)`.

    `targets` are the training rows' (`tunebook.data.sampling.base.TrainTargets`), for weights that follow from counts;
    `label_smoothing` is `hyperparameters.label_smoothing_factor`. Raises `ConfigurationError` where they do not fit.

    Weights of classes are scaled so that their mean over the training rows is 1: the loss is then divided by the
    number of rows of the effective batch, which is exact for every split of it over micro-batches and ranks, and
    the learning rate keeps its meaning. (PyTorch's weighted mean divides by each micro-batch's own sum of weights.)
    """

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Losses in float32, shape (rows,).

        Args:
            logits: (rows, labels), or (rows, 1) for numbers; any float type.
            labels: (rows,) class ids, or (rows, labels) shares of each class, for mixed rows; (rows, labels) of 0
                and 1 for several labels; (rows,) numbers.
        """
