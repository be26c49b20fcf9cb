"""Pulls the weights of the backbone to their values before training (L2-SP). Knows parameters and gradients only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tunebook.errors import Problem
from tunebook.training.regularization.base import (
    Method,
    MethodContext,
    RegularizationOptions,
    backbone_parameters,
    start_problems,
)

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tunebook.config.schema import Config

    Pull = tuple[nn.Parameter, float, torch.Tensor | None]


class Options(RegularizationOptions):
    """L2-SP (Li et al. 2018, arXiv 1802.01483): alpha/2 · ‖w − w₀‖² of the backbone and beta/2 · ‖w‖² of the new head.

    Its gradient is added once an optimizer step, before clipping; the logged loss is without it.

    Args:
        alpha: strength of the pull to the weights that training starts from, at least 0.
        beta: strength of the pull of the head towards zero, at least 0. `hyperparameters.weight_decay` acts as well.
    """

    alpha: float = Field(default=0.1, ge=0)
    beta: float = Field(default=0.0, ge=0)


def start(options: Options, context: MethodContext) -> Method:
    """Keeps a copy of the backbone's weights, and adds alpha · (w − w₀) to their gradients."""
    backbone = dict(backbone_parameters(context.model))
    pulls: list[Pull] = []
    for name, parameter in context.model.named_parameters():
        strength = options.alpha if name in backbone else options.beta
        if strength and parameter.requires_grad:
            pulls.append((parameter, strength, parameter.detach().clone() if name in backbone else None))
    return Method(add_gradients=lambda scale: _pull(pulls, scale))


def _pull(pulls: list[Pull], scale: float) -> None:
    for parameter, strength, start in pulls:
        if parameter.grad is None:
            continue  # frozen in this phase, or not used by this head: its value has not changed
        own = parameter.detach()
        parameter.grad.add_(own if start is None else own - start, alpha=strength * scale)


def problems(config: Config) -> list[Problem]:
    """Weights that never move; with `beta` the head still does."""
    return start_problems(config, "l2_sp", moves_head=config.regularization.l2_sp.beta > 0)
