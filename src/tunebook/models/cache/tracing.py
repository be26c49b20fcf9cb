"""Records the order in which a model runs its modules on a batch, with their inputs and outputs; knows torch alone."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass
class Call:
    """One run of a module within one forward pass of the model, whose own name is "".

    `turn` counts the runs of this module in the pass; `began` and `ended` are places in the order of starts and ends.
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


Trace = list[Call]
"""The calls of all modules of a model in one forward pass, in the order of their starts."""


def trace(model: nn.Module, inputs: Mapping[str, Any]) -> Trace:
    """Runs a model once without gradients, in its present mode, and records its calls."""
    calls: Trace = []
    running: list[Call] = []
    turns: Counter[str] = Counter()
    clock = itertools.count(1)

    def begin(name: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        call = Call(name, module, turns[name], next(clock), inputs=(args, kwargs))
        turns[name] += 1
        calls.append(call)
        running.append(call)

    def end(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        call = running.pop()
        call.ended, call.output = next(clock), output

    with contextlib.ExitStack() as stack, torch.no_grad():
        for name, module in model.named_modules():
            # With keyword arguments: some layers receive their states by name.
            before = module.register_forward_pre_hook(functools.partial(begin, name), with_kwargs=True)
            stack.callback(before.remove)
            stack.callback(module.register_forward_hook(end).remove)
        model(**inputs)
    return calls
