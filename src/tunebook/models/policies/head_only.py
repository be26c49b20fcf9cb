"""Trains the head on a frozen backbone. Knows nothing of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunebook.config.options import Options as BaseOptions
from tunebook.models.policies.base import Rule, by_depth, check_head

if TYPE_CHECKING:
    from tunebook.models.depth import Depth


class Options(BaseOptions):
    """Nothing to set."""


def rules(depth: Depth, options: Options) -> list[Rule]:
    """The whole backbone frozen; what is outside it trains.

    Raises:
        FreezingError: nothing is outside it (a language model with tied weights).
    """
    check_head(depth)
    return by_depth(depth, frozen=[depth.embeddings, *depth.layers])
