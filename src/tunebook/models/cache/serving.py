"""Runs a model from its boundary on: states go in there, and nothing that is frozen in front of it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from tunebook.models.cache.boundary import Boundary
from tunebook.models.cache.forms import Form, Size


class _Reached(Exception):
    """The boundary was reached; carries its states out of the forward pass."""

    def __init__(self, states: torch.Tensor) -> None:
        super().__init__()
        self.states = states


def states_of(model: nn.Module, boundary: Boundary, inputs: Mapping[str, Any]) -> torch.Tensor:
    """The states at the boundary; nothing behind it runs.

    Args:
        model: without wrappers; it runs in the mode in which it is.
        boundary: of the model.
        inputs: of the model.
    """

    def leave(states: torch.Tensor) -> torch.Tensor:
        raise _Reached(states)

    with at_boundary(model, boundary, leave):
        try:
            model(**inputs)
        except _Reached as reached:
            return reached.states
    message = f"the model has not come to {boundary.module}"
    raise RuntimeError(message)


@contextlib.contextmanager
def serving(
    model: nn.Module, boundary: Boundary, states: torch.Tensor, tokens: int = 1, fill: float | None = None
) -> Iterator[None]:
    """Within, forward passes of the model run from the boundary on, with these states.

    The modules in front give something of the form that they always give, without computing. Masks, positions and
    whatever else has no parameters is computed from the inputs as always.

    Args:
        model: without wrappers.
        boundary: of the model.
        states: shape as `Boundary.dims`.
        tokens: width of the batch after padding.
        fill: what the placeholders are filled with; None: nothing, as nothing depends on it.
    """
    size = Size(len(states), tokens)
    with contextlib.ExitStack() as stack:
        for name, form in boundary.skipped:
            stack.enter_context(_standing_in(model.get_submodule(name), form, size, fill))
        # Copied, as some modules change what they are given in its place (MobileNetV2's dropout).
        stack.enter_context(at_boundary(model, boundary, lambda _: states.clone()))
        yield


@contextlib.contextmanager
def at_boundary(model: nn.Module, boundary: Boundary, change: Any) -> Iterator[None]:
    """Within, the states that the boundary's module is given are changed by a function."""
    turns = 0

    def begin(module: nn.Module, args: tuple[Any, ...]) -> None:
        nonlocal turns
        turns = 0

    def exchange(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        nonlocal turns
        turns += 1
        if turns - 1 != boundary.turn:
            return None
        place = boundary.place
        if isinstance(place, str):
            return args, {**kwargs, place: change(kwargs[place])}
        return (*args[:place], change(args[place]), *args[place + 1 :]), kwargs

    hooks = [
        model.register_forward_pre_hook(begin),
        model.get_submodule(boundary.module).register_forward_pre_hook(exchange, with_kwargs=True),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextlib.contextmanager
def _standing_in(module: Any, form: Form, size: Size, fill: float | None) -> Iterator[None]:
    # On the instance, as accelerate does for autocast: its hooks and its place in the model stay as they are.
    before = module.__dict__.get("forward")
    module.forward = lambda *args, **kwargs: form(size, fill)
    try:
        yield
    finally:
        if before is None:
            del module.forward
        else:
            module.forward = before
