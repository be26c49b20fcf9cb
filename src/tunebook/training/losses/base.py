"""What a loss is, and which one a recipe trains and evaluates with. Knows logits and labels, no model, no Trainer.

A loss is a file `tunebook/training/losses/NAME.py` (or an entry point `loss.NAME`) with `Options`, `TARGETS` (the
target types that it can take, of `Task.target_type`) and `Loss`. The file and its `Options` import no torch at
the top, so that checking a recipe stays quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tunebook.config import registry
from tunebook.config.options import Options
from tunebook.errors import Problem

if TYPE_CHECKING:
    import torch

    from tunebook.config.schema import Config
    from tunebook.data.sampling.base import TrainTargets
    from tunebook.tasks.base import Task


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


def loss_of(config: Config, task: Task, targets: TrainTargets) -> Loss | None:
    """The loss that the recipe names, or the task's default; None: the model computes its own.

    `targets` are those of the training rows, for weights that follow from counts.
    """
    name = task.default_loss if config.loss.name == "default" else config.loss.name
    if name is None:
        return None
    module = registry.load("loss", name)
    options = module.Options() if config.loss.name == "default" else config.loss.options
    return module.Loss(options, targets, config.hyperparameters.label_smoothing_factor or 0.0)


def eval_loss_of(task: Task, targets: TrainTargets) -> Loss | None:
    """The task's default loss without weights or smoothing, so that figures of different recipes compare."""
    if task.default_loss is None:
        return None
    module = registry.load("loss", task.default_loss)
    return module.Loss(module.Options(), targets, 0.0)


def problems(config: Config) -> list[Problem]:
    """A label smoothing that the loss cannot have, or that is set in two places."""
    factor = config.hyperparameters.label_smoothing_factor if config.hyperparameters else None
    if not factor or not config.loss or not config.task:
        return []
    task = registry.load("task", config.task.name).Task(config.task.options)
    if task.target_type not in registry.load("loss", config.loss.name).TARGETS:
        return []
    key = "hyperparameters.label_smoothing_factor"
    name = task.default_loss if config.loss.name == "default" else config.loss.name
    if name is None or "label_smoothing" not in registry.load("loss", name).Options.model_fields:
        return [Problem(key, f"the loss {name or 'of the model'} has no labels to smooth; set it to 0")]
    smoothing = getattr(config.loss.options, "label_smoothing", None)
    if smoothing is None:
        return []
    return [Problem(key, f"is set twice: loss.label_smoothing={smoothing:g} too; set one of them to null")]
