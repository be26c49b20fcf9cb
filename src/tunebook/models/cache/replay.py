"""Runs a model from its boundary on with cached states; the frozen modules before it do not run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from tunebook.models.cache.boundary import Boundary
from tunebook.models.cache.shapes import BatchSize, OutputTemplate


class _BoundaryReached(Exception):
    """Ends a forward pass at the boundary, with its states."""

    def __init__(self, states: torch.Tensor) -> None:
        super().__init__()
        self.states = states


def compute_states(model: nn.Module, boundary: Boundary, inputs: Mapping[str, Any]) -> torch.Tensor:
    """The states at the boundary; nothing after it runs."""

    def stop(states: torch.Tensor) -> torch.Tensor:
        raise _BoundaryReached(states)

    with changed_input(model, boundary, stop):
        try:
            model(**inputs)
        except _BoundaryReached as reached:
            return reached.states
    message = f"the model did not run {boundary.module}"
    raise RuntimeError(message)


@contextlib.contextmanager
def replayed_states(
    model: nn.Module, boundary: Boundary, states: torch.Tensor, tokens: int = 1, fill: float | None = None
) -> Iterator[None]:
    """In this block forward passes of the model run from the boundary on, with these states, shape as `Boundary.dims`.

    The modules before it return tensors of their usual shapes, for a batch padded to `tokens`, without computing: full
    of `fill`, or not initialised where it is None, as nothing depends on them. Masks, positions and whatever else has
    no parameters are computed from the inputs as usual.
    """
    size = BatchSize(len(states), tokens)
    with contextlib.ExitStack() as stack:
        for name, template in boundary.skipped:
            stack.enter_context(_returning(model.get_submodule(name), template, size, fill))
        # A copy, as some modules change their input in place (MobileNetV2's dropout).
        stack.enter_context(changed_input(model, boundary, lambda _: states.clone()))
        yield


@contextlib.contextmanager
def changed_input(model: nn.Module, boundary: Boundary, change: Any) -> Iterator[None]:
    """In this block the states that the boundary's module receives are changed by a function."""
    turns = 0

    def begin(module: nn.Module, args: tuple[Any, ...]) -> None:
        nonlocal turns
        turns = 0

    def replace(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
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
        model.get_submodule(boundary.module).register_forward_pre_hook(replace, with_kwargs=True),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextlib.contextmanager
def _returning(module: Any, template: OutputTemplate, size: BatchSize, fill: float | None) -> Iterator[None]:
    # On the instance, as accelerate does for autocast: its hooks and its place in the model stay as they are.
    before = module.__dict__.get("forward")
    module.forward = lambda *args, **kwargs: template(size, fill)
    try:
        yield
    finally:
        if before is None:
            del module.forward
        else:
            module.forward = before
