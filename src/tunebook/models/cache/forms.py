"""What a module gives, as a form that depends on the numbers of rows and tokens alone; knows torch, no model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from transformers.utils import ModelOutput

from tunebook.models.cache.refusal import NotCacheable

PLAIN = (int, float, str, type(None))


@dataclass(frozen=True)
class Size:
    """How large a batch is.

    Args:
        rows: in it.
        tokens: width after padding; 1 where the model sees no tokens.
    """

    rows: int
    tokens: int = 1


@dataclass(frozen=True)
class Length:
    """One dimension: `factor` × rows × tokens + `plus`, without rows or tokens where they play no part."""

    factor: int
    rows: bool = False
    tokens: bool = False
    plus: int = 0

    def at(self, size: Size) -> int:
        """Of a batch."""
        return self.factor * (size.rows if self.rows else 1) * (size.tokens if self.tokens else 1) + self.plus


def length(values: tuple[int, int], sizes: tuple[Size, Size]) -> Length:
    """How a dimension follows from a batch, told by two batches of other sizes.

    Raises:
        NotCacheable: it does not follow from rows and tokens.
    """
    one, other = values
    a, b = sizes
    if one == other:
        return Length(one)
    for rows, tokens in ((True, False), (False, True), (True, True)):
        unit = Length(1, rows, tokens)
        factor, rest = divmod(one, unit.at(a))
        if not rest and factor * unit.at(b) == other:
            return Length(factor, rows, tokens)
    if a.tokens != b.tokens and one - other == a.tokens - b.tokens:
        return Length(1, tokens=True, plus=one - a.tokens)
    raise NotCacheable("what its frozen layers give has a shape that does not follow from the batch")


Form = Callable[[Size, float | None], Any]
"""Makes something of the form for a batch, its tensors filled with one number, or with whatever was in memory."""


def form_of(values: tuple[Any, Any], sizes: tuple[Size, Size]) -> Form:
    """The form of what a module gave for two batches: tensors, and tuples, lists and outputs that hold them.

    Anything else (a cache of keys and values) becomes None, as nothing behind the boundary may read it.

    Args:
        values: one for each batch.
        sizes: of the batches, which differ in rows and, where there are tokens, in tokens.

    Raises:
        NotCacheable: a shape does not follow from the batch.
    """
    one, other = values
    if isinstance(one, torch.Tensor):
        dims, dtype, device = dims_of((one, other), sizes), one.dtype, one.device

        def tensor(size: Size, fill: float | None) -> torch.Tensor:
            shape = [dim.at(size) for dim in dims]
            if not dtype.is_floating_point:
                return torch.zeros(shape, dtype=dtype, device=device)
            empty = torch.empty(shape, dtype=dtype, device=device)
            return empty if fill is None else empty.fill_(fill)

        return tensor
    if isinstance(one, ModelOutput | dict):
        parts = {name: form_of((one[name], other[name]), sizes) for name in one}
        kind: Any = type(one)
        return lambda size, fill: kind(**{name: make(size, fill) for name, make in parts.items()})
    if isinstance(one, tuple | list):
        members = [form_of(pair, sizes) for pair in zip(one, other, strict=True)]
        sequence: Any = type(one)
        return lambda size, fill: sequence(make(size, fill) for make in members)
    if isinstance(one, int) and not isinstance(one, bool):
        number = length((one, other), sizes)
        return lambda size, fill: number.at(size)
    return lambda size, fill: one if isinstance(one, PLAIN) else None


def dims_of(tensors: tuple[torch.Tensor, torch.Tensor], sizes: tuple[Size, Size]) -> tuple[Length, ...]:
    """Every dimension of a tensor, told by two batches."""
    return tuple(length(pair, sizes) for pair in zip(*(tensor.shape for tensor in tensors), strict=True))
