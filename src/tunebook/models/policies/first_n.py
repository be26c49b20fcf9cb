"""Freezes embeddings and the first layers. Knows nothing of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunebook.config.options import Options as BaseOptions
from tunebook.models.policies._options import Layers, layers_of
from tunebook.models.policies.base import Rule, by_depth

if TYPE_CHECKING:
    from tunebook.models.depth import Depth

TRAINS_EMBEDDINGS = False


class Options(BaseOptions):
    """How many layers are frozen.

    Args:
        n: layers (or stages) to freeze, from the input up: a number, a share such as `25%` (rounded, to at least
            one), or `all`; 0 freezes the embeddings alone.
    """

    n: Layers


def rules(depth: Depth, options: Options) -> list[Rule]:
    """Embeddings and the first `n` layers frozen, the others and the head trained.

    Raises:
        FreezingError: the model has fewer than `n` layers.
    """
    n = layers_of(options.n, depth)
    return by_depth(depth, frozen=[depth.embeddings, *depth.layers[:n]])
