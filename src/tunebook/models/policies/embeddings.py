"""Freezes what is before the first layer. Knows nothing of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunebook.config.options import Options as BaseOptions
from tunebook.models.policies.base import Rule, by_depth, require_layers

if TYPE_CHECKING:
    from tunebook.models.depth import Depth

TRAINS_EMBEDDINGS = False


class Options(BaseOptions):
    """Nothing to set."""


def rules(depth: Depth, options: Options) -> list[Rule]:
    """Embeddings (of an image model: its stem) frozen, layers and head trained.

    Raises:
        FreezingError: the model has no stack of layers, so it is unknown where its embeddings end.
    """
    require_layers(depth, 0)
    return by_depth(depth, frozen=[depth.embeddings])
