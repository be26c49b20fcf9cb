"""Records the order in which a model runs its modules on a batch, with their inputs and outputs; knows torch alone."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn


@dataclass
class Call:
    """One run of a module within one forward pass of the model.

    Args:
        name: of the module, dotted; "" is the model itself.
        module: itself.
        turn: how many times it has run before in this pass.
        began: its place in the order of all starts and ends.
        ended: likewise.
        inputs: positional and named ones.
        output: of the module.
    """

    name: str
    module: nn.Module
    turn: int
    began: int
    ended: int = -1
    inputs: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
    output: Any = None

    def holds(self, other: Call) -> bool:
        """Whether the other runs within this one, or is this one."""
        return self.began <= other.began and other.ended <= self.ended

    @property
    def is_leaf(self) -> bool:
        """Whether its module has no modules inside."""
        return not any(True for _ in self.module.children())


@dataclass
class Trace:
    """The calls of one forward pass, in the order in which they began."""

    calls: list[Call] = field(default_factory=list)
    _open: list[Call] = field(default_factory=list)
    _turns: Counter[int] = field(default_factory=Counter)
    _clock: int = 0

    def begin(self, name: str, module: nn.Module, inputs: tuple[tuple[Any, ...], dict[str, Any]]) -> None:
        """A module is about to run."""
        call = Call(name, module, self._turns[id(module)], self._tick(), inputs=inputs)
        self._turns[id(module)] += 1
        self.calls.append(call)
        self._open.append(call)

    def end(self, output: Any) -> None:
        """The module that began last has run."""
        call = self._open.pop()
        call.ended, call.output = self._tick(), output

    def _tick(self) -> int:
        self._clock += 1
        return self._clock


def trace(model: nn.Module, inputs: Mapping[str, Any]) -> Trace:
    """Runs a model once without gradients, in its present mode, and records every call of a module.

    Args:
        model: without wrappers.
        inputs: of the model.
    """
    calls = Trace()
    with contextlib.ExitStack() as stack, torch.no_grad():
        for name, module in model.named_modules():
            stack.enter_context(_recorded(calls, name, module))
        model(**inputs)
    return calls


@contextlib.contextmanager
def _recorded(calls: Trace, name: str, module: nn.Module) -> Iterator[None]:
    # With keyword arguments: some layers receive their states by name.
    before = module.register_forward_pre_hook(
        lambda module, args, kwargs: calls.begin(name, module, (args, kwargs)), with_kwargs=True
    )
    after = module.register_forward_hook(lambda module, args, output: calls.end(output))
    try:
        yield
    finally:
        before.remove()
        after.remove()
