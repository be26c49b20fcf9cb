"""Mixes the backbone's weights with their values before training (Mixout). Knows linear layers, no losses.

The mixing happens inside each layer's own forward, so that names of weights, DDP and activation checkpointing see the
model that they know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from tunebook.errors import ModelError, Problem
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


class Options(RegularizationOptions):
    """Mixout (Lee et al. 2020, arXiv 1909.11299), for linear layers of the backbone, while training.

    Args:
        p: share of a layer's inputs whose weights have, in each forward, their values before training; the others
            are scaled away from these, so that the mean is the trained weight. In [0, 1).
    """

    p: float = Field(default=0.7, ge=0, lt=1)


def start(options: Options, context: MethodContext) -> Method:
    """Adds the mixing to every linear layer of the backbone.

    Raises:
        ModelError: the backbone has none.
    """
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    inside = {id(parameter) for _, parameter in backbone_parameters(context.model)}
    layers: list[nn.Module] = [
        module
        for module in context.model.modules()
        if isinstance(module, nn.Linear | Conv1D) and id(module.weight) in inside
    ]
    if not layers:
        message = f"{type(context.model).__name__} has no linear layers in its backbone to mix; set it to null"
        raise ModelError(Problem("regularization.mixout", message))
    for layer in layers:
        # A Linear's weight is (outputs, inputs), a Conv1D's (GPT-2) (inputs, outputs).
        mixing = _Mixing(layer, options.p, inputs=1 if isinstance(layer, nn.Linear) else 0)
        layer.register_forward_pre_hook(mixing.begin)
        layer.register_forward_hook(mixing.end, always_call=True)
    return Method()


def mixed(weight: torch.Tensor, initial: torch.Tensor, p: float, inputs: int) -> torch.Tensor:
    """Weights of which a share `p` of inputs has those of `initial`, with the mean `weight`; `inputs` is their axis."""
    import torch

    shape = [1, 1]
    shape[inputs] = weight.shape[inputs]
    trained = torch.empty(shape, device=weight.device, dtype=weight.dtype).bernoulli_(1 - p)
    return initial + (weight - initial) * (trained / (1 - p))


class _Mixing:
    """Swaps one layer's weight for a mixed one while its forward runs."""

    def __init__(self, layer: nn.Module, p: float, inputs: int) -> None:
        self.initial: torch.Tensor = layer.weight.detach().clone()  # type: ignore[operator, union-attr]
        self.p, self.inputs = p, inputs
        self.own: nn.Parameter | None = None

    def begin(self, layer: nn.Module, arguments: Any) -> None:
        """Before the layer's forward."""
        own = layer._parameters["weight"]
        if own is not None and layer.training and own.requires_grad:
            self.own = own
            # Under its own key, so that the order of the model's parameters stays.
            layer._parameters["weight"] = mixed(own, self.initial, self.p, self.inputs)  # type: ignore[assignment]

    def end(self, layer: nn.Module, arguments: Any, output: Any) -> None:
        """After it, even if it failed."""
        if self.own is not None:
            layer._parameters["weight"] = self.own
            self.own = None


def problems(config: Config) -> list[Problem]:
    """Weights that never move."""
    return start_problems(config, "mixout")
