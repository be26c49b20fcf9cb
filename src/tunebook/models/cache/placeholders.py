"""Inputs of the right shapes without content, for a model that runs on cached states and reads only the shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch

from tunebook.models.cache.boundary import TOKENS, Boundary, batch_size_of


@dataclass(frozen=True)
class Placeholders:
    """Makes inputs of the right names, shapes and types without the rows themselves.

    `shapes` are those after the first dimension, with None for the tokens; `side` is that of the padding. Where the
    states have no vector for each token (`by_token` is False), one token a row is enough.
    """

    shapes: dict[str, tuple[int | None, ...]]
    dtypes: dict[str, torch.dtype]
    by_token: bool
    side: Literal["left", "right"]

    @classmethod
    def of(cls, batch: Mapping[str, torch.Tensor], boundary: Boundary) -> Placeholders:
        """Like a batch's own inputs."""
        width = batch_size_of(batch).tokens
        masked = TOKENS in batch
        shapes = {
            name: tuple(None if masked and at == 0 and dim == width else dim for at, dim in enumerate(values.shape[1:]))
            for name, values in batch.items()
        }
        left = masked and bool((batch[TOKENS][:, 0] == 0).any())
        dtypes = {name: values.dtype for name, values in batch.items()}
        return cls(shapes, dtypes, boundary.by_token, "left" if left else "right")

    def tokens(self, width: int) -> int:
        """The width of the placeholders for a batch of a width."""
        return width if self.by_token else 1

    def __call__(self, lengths: torch.Tensor, width: int) -> dict[str, torch.Tensor]:
        """Inputs of a batch of rows with `lengths`, shape (rows,), padded to `width`, both in tokens."""
        rows, width = len(lengths), self.tokens(width)
        inputs = {}
        for name, shape in self.shapes.items():
            sizes = [width if dim is None else dim for dim in shape]
            inputs[name] = torch.zeros((), dtype=self.dtypes[name]).expand(rows, *sizes)
        if TOKENS in inputs:
            lengths = lengths[:, None] if self.by_token else torch.ones((rows, 1), dtype=torch.long)
            places = torch.arange(width)
            mask = places >= width - lengths if self.side == "left" else places < lengths
            inputs[TOKENS] = mask.to(self.dtypes[TOKENS])
        return inputs
