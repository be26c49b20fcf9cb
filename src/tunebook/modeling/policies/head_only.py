"""Trains the head on a frozen trunk. Knows nothing of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunebook.config.options import Options as BaseOptions
from tunebook.modeling.policies.base import Rule, by_depth

if TYPE_CHECKING:
    from tunebook.modeling.depth import Depth


class Options(BaseOptions):
    """Nothing to set."""


def rules(depth: Depth, options: Options) -> list[Rule]:
    """The whole trunk frozen; what lies outside it trains."""
    return by_depth(depth, frozen=[depth.embeddings, *depth.layers])
