"""Picks the loss that a recipe names. Knows losses and answers, no model and no Trainer."""

from __future__ import annotations

from tunebook.answers.base import Answer
from tunebook.config import registry
from tunebook.config.schema import Config
from tunebook.data.sampling.base import TrainTargets
from tunebook.training.losses.base import Loss


def loss_of(config: Config, answer: Answer, labels: TrainTargets) -> Loss:
    """The loss that the recipe names, or the one that goes with the kind of answer."""
    said = config.loss.name
    name = answer.loss if said == "default" else said
    module = registry.load("loss", name)
    options = module.Options() if said == "default" else config.loss.options
    return module.Loss(options, labels, config.hyperparameters.label_smoothing_factor or 0.0)
