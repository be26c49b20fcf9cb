"""Two passes of each batch through the model, and a loss of their difference (R-Drop). Knows logits and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from tunebook.config import registry
from tunebook.errors import ModelError, Problem
from tunebook.training.regularization.base import Method, MethodContext, RegularizationOptions

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tunebook.config.schema import Config
    from tunebook.training.losses.base import Loss


class Options(RegularizationOptions):
    """R-Drop (Wu et al. 2021, arXiv 2106.14448): the mean of both passes' losses + alpha · their divergence.

    The divergence of a row is the mean of both Kullback-Leibler divergences; of several labels the mean over them,
    of numbers the squared difference. Both passes are one forward of twice the rows.

    Args:
        alpha: weight of the divergence, at least 0.
    """

    alpha: float = Field(default=1.0, ge=0)


def start(options: Options, context: MethodContext) -> Method:
    """Computes the loss over both passes.

    Raises:
        ModelError: the model has no dropout, so that both passes would be one.
    """
    if not has_dropout(context.model):
        message = (
            f"{type(context.model).__name__} has no dropout here, so that both passes give the same; set some with "
            "model.dropout, or regularization.r_drop=null"
        )
        raise ModelError(Problem("regularization.r_drop", message))
    task: Any = context.task  # its capability says that it has `divergence`

    def losses(loss: Loss, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        first, second = logits.float().chunk(2)
        return (loss(first, labels) + loss(second, labels)) / 2 + options.alpha * task.divergence(first, second)

    return Method(two_pass=losses)


def has_dropout(model: nn.Module) -> bool:
    """Whether a model drops anything while it trains, outside of frozen modules, which are in evaluation mode."""
    from tunebook.models.freezing import frozen_modules

    still = {inner for module in frozen_modules(model) for inner in module.modules()}
    return any(_drops(module) for module in model.modules() if module not in still)


def _drops(module: nn.Module) -> bool:
    """A dropout layer, or a module (attention, a dropped branch) that holds a share for the function that drops."""
    from torch import nn

    if isinstance(module, nn.modules.dropout._DropoutNd):
        return module.p > 0
    return any("drop" in name and isinstance(value, float) and value > 0 for name, value in vars(module).items())


def problems(config: Config) -> list[Problem]:
    """A task whose predictions of two passes cannot be compared."""
    task = config.task and registry.load("task", config.task.name).Task(config.task.options)
    if not task or "r_drop" in task.capabilities:
        return []
    return [Problem("regularization.r_drop", f"does not apply to {config.task.name}; set it to null")]
