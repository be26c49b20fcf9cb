"""Trains the last layers and the head only. Knows nothing of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tunebook.config.options import Options as BaseOptions
from tunebook.modeling.policies.base import Rule, by_depth, check_layers

if TYPE_CHECKING:
    from tunebook.modeling.depth import Depth


class Options(BaseOptions):
    """How much of the trunk trains.

    Args:
        n: layers (or stages) to train, from the head back; 0 trains the head alone.
    """

    n: int = Field(ge=0)


def rules(depth: Depth, options: Options) -> list[Rule]:
    """The last `n` layers and the head trained, everything in front of them frozen.

    Raises:
        FreezingError: the model has fewer than `n` layers.
    """
    check_layers(depth, options.n)
    frozen = depth.layers[: len(depth.layers) - options.n]
    return by_depth(depth, frozen=[depth.embeddings, *frozen])
