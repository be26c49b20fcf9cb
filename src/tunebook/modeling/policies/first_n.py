"""Freezes embeddings and the first layers. Knows nothing of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tunebook.config.options import Options as BaseOptions
from tunebook.modeling.policies.base import Rule, by_depth, check_layers

if TYPE_CHECKING:
    from tunebook.modeling.depth import Depth


class Options(BaseOptions):
    """How deep the frozen part reaches.

    Args:
        n: layers (or stages) to freeze, from the input on; 0 freezes the embeddings alone.
    """

    n: int = Field(ge=0)


def rules(depth: Depth, options: Options) -> list[Rule]:
    """Embeddings and the first `n` layers frozen, the others and the head trained.

    Raises:
        FreezingError: the model has fewer than `n` layers.
    """
    check_layers(depth, options.n)
    return by_depth(depth, frozen=[depth.embeddings, *depth.layers[: options.n]])
