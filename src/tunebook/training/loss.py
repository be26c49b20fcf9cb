"""Picks the loss that a recipe names, and the plain one that evaluation reports. Knows no model and no Trainer."""

from __future__ import annotations

from tunebook.config import registry
from tunebook.config.schema import Config
from tunebook.data.sampling.base import TrainTargets
from tunebook.tasks.base import Task
from tunebook.training.losses.base import Loss


def loss_of(config: Config, task: Task, targets: TrainTargets) -> Loss | None:
    """The loss that the recipe names, or the task's default; None: the model computes its own.

    Args:
        config: its groups loss and hyperparameters (label smoothing).
        task: what is learned.
        targets: of the training rows, for weights that follow from counts.
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
