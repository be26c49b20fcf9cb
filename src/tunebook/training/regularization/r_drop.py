"""Sends each batch through the model twice and asks both outputs to agree (R-Drop). Knows logits and labels only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tunebook.errors import ModelError, Problem
from tunebook.training.regularization.base import Method, MethodContext, RegularizationOptions

if TYPE_CHECKING:
    import torch
    from torch import nn

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
    """The loss of both passes.

    Raises:
        ModelError: the model has no dropout, so that both passes would be one.
    """
    if not has_dropout(context.model):
        message = (
            f"{type(context.model).__name__} has no dropout here, so that both passes give the same; set some with "
            "model.dropout, or regularization.r_drop=null"
        )
        raise ModelError(Problem("regularization.r_drop", message))
    target_type = context.kind

    def both_passes(loss: Loss, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        first, second = logits.float().chunk(2)
        return (loss(first, labels) + loss(second, labels)) / 2 + options.alpha * divergence(first, second, target_type)

    return Method(twice=both_passes)


def divergence(first: torch.Tensor, second: torch.Tensor, target_type: str) -> torch.Tensor:
    """How far two outputs for each row are apart, the same both ways.

    Args:
        first: logits, (rows, k), float32.
        second: likewise.
        target_type: `regression`: squared difference; `multi_label`: of each label's sigmoid, the mean over labels;
            else of the softmaxes.

    Returns:
        (rows,), at least 0.
    """
    from torch.nn import functional

    if target_type == "regression":
        return (first - second).squeeze(-1) ** 2
    # Half the sum of both divergences is half the sum of (p − q) (log p − log q); for two classes the latter
    # difference is that of the logits.
    if target_type == "multi_label":
        return ((first.sigmoid() - second.sigmoid()) * (first - second)).mean(-1) / 2
    logs = functional.log_softmax(first, -1), functional.log_softmax(second, -1)
    return ((logs[0].exp() - logs[1].exp()) * (logs[0] - logs[1])).sum(-1) / 2


def has_dropout(model: nn.Module) -> bool:
    """Whether a model drops anything while it trains: a module that is not held in evaluation mode with what is frozen.

    Args:
        model: in which `requires_grad` says what trains in some phase.
    """
    from tunebook.models.freezing import frozen_modules

    still = {inner for module in frozen_modules(model) for inner in module.modules()}
    return any(_drops(module) for module in model.modules() if module not in still)


def _drops(module: nn.Module) -> bool:
    """A dropout layer, or a module (attention, a dropped branch) that holds a share for the function that drops."""
    from torch import nn

    if isinstance(module, nn.modules.dropout._DropoutNd):
        return module.p > 0
    return any("drop" in name and isinstance(value, float) and value > 0 for name, value in vars(module).items())
