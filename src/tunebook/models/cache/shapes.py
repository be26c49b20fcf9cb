"""Shapes of a module's outputs as functions of the numbers of rows and tokens; knows torch, no model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from transformers.utils import ModelOutput

from tunebook.models.cache.not_cacheable import NotCacheable

PLAIN = (int, float, str, type(None))


@dataclass(frozen=True)
class BatchSize:
    """How large a batch is.

    Args:
        rows: in it.
        tokens: width after padding; 1 where the model sees no tokens.
    """

    rows: int
    tokens: int = 1


@dataclass(frozen=True)
class Dimension:
    """One dimension: `factor` × rows × tokens + `plus`, without rows or tokens where they do not matter."""

    factor: int
    rows: bool = False
    tokens: bool = False
    plus: int = 0

    def at(self, size: BatchSize) -> int:
        """Of a batch."""
        return self.factor * (size.rows if self.rows else 1) * (size.tokens if self.tokens else 1) + self.plus


def dimension_of(values: tuple[int, int], sizes: tuple[BatchSize, BatchSize]) -> Dimension:
    """How a dimension follows from the size of a batch, from its values for two batches of different sizes.

    Raises:
        NotCacheable: it does not follow from them.
    """
    one, other = values
    a, b = sizes
    if one == other:
        return Dimension(one)
    for rows, tokens in ((True, False), (False, True), (True, True)):
        unit = Dimension(1, rows, tokens)
        factor, rest = divmod(one, unit.at(a))
        if not rest and factor * unit.at(b) == other:
            return Dimension(factor, rows, tokens)
    if a.tokens != b.tokens and one - other == a.tokens - b.tokens:
        return Dimension(1, tokens=True, plus=one - a.tokens)
    raise NotCacheable("the outputs of its frozen layers have a shape that does not follow from the batch")


OutputTemplate = Callable[[BatchSize, float | None], Any]
"""(size of a batch, value or None) -> an output of the right shapes; None: its tensors are not initialised."""


def output_template(values: tuple[Any, Any], sizes: tuple[BatchSize, BatchSize]) -> OutputTemplate:
    """A template of a module's output, from its outputs for two batches: tensors, and tuples, lists and dicts of them.

    Anything else (a cache of keys and values) becomes None, as nothing after the boundary may read it.

    Raises:
        NotCacheable: a shape does not follow from the batch.
    """
    one, other = values
    if isinstance(one, torch.Tensor):
        dims, dtype, device = dimensions_of((one, other), sizes), one.dtype, one.device

        def tensor(size: BatchSize, fill: float | None) -> torch.Tensor:
            shape = [dim.at(size) for dim in dims]
            if not dtype.is_floating_point:
                return torch.zeros(shape, dtype=dtype, device=device)
            empty = torch.empty(shape, dtype=dtype, device=device)
            return empty if fill is None else empty.fill_(fill)

        return tensor
    if isinstance(one, ModelOutput | dict):
        parts = {name: output_template((one[name], other[name]), sizes) for name in one}
        kind: Any = type(one)
        return lambda size, fill: kind(**{name: make(size, fill) for name, make in parts.items()})
    if isinstance(one, tuple | list):
        members = [output_template(pair, sizes) for pair in zip(one, other, strict=True)]
        sequence: Any = type(one)
        return lambda size, fill: sequence(make(size, fill) for make in members)
    if isinstance(one, int) and not isinstance(one, bool):
        number = dimension_of((one, other), sizes)
        return lambda size, fill: number.at(size)
    return lambda size, fill: one if isinstance(one, PLAIN) else None


def dimensions_of(
    tensors: tuple[torch.Tensor, torch.Tensor], sizes: tuple[BatchSize, BatchSize]
) -> tuple[Dimension, ...]:
    """Every dimension of a tensor, from its shapes for two batches."""
    return tuple(dimension_of(pair, sizes) for pair in zip(*(tensor.shape for tensor in tensors), strict=True))
