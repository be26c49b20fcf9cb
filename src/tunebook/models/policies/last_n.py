"""Trains the last layers and the head only. Knows nothing of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunebook.config.options import Options as BaseOptions
from tunebook.models.policies._options import Layers, layers_of
from tunebook.models.policies.base import Rule, by_depth

if TYPE_CHECKING:
    from tunebook.models.depth import Depth

TRAINS_EMBEDDINGS = False


class Options(BaseOptions):
    """How much of the backbone trains.

    Args:
        n: layers (or stages) to train, from the head down: a number, a share such as `25%` (rounded, to at
            least one), or `all`; 0 trains the head alone.
    """

    n: Layers


def rules(depth: Depth, options: Options) -> list[Rule]:
    """The last `n` layers and the head trained, everything before them frozen.

    Raises:
        FreezingError: the model has fewer than `n` layers.
    """
    n = layers_of(options.n, depth)
    frozen = depth.layers[: len(depth.layers) - n]
    return by_depth(depth, frozen=[depth.embeddings, *frozen])
