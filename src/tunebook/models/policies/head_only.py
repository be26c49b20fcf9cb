"""Trains the head on a frozen backbone. Knows nothing of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunebook.config.options import Options as BaseOptions
from tunebook.errors import Problem
from tunebook.models.policies.base import Rule, by_depth, require_head

if TYPE_CHECKING:
    from tunebook.config.schema import Config
    from tunebook.models.depth import Depth


class Options(BaseOptions):
    """Nothing to set."""


def rules(depth: Depth, options: Options) -> list[Rule]:
    """The whole backbone frozen; what is outside it trains.

    Raises:
        FreezingError: nothing is outside it (a language model with tied weights).
    """
    require_head(depth)
    return by_depth(depth, frozen=[depth.embeddings, *depth.layers])


def problems(config: Config) -> list[Problem]:
    """What needs a backbone that trains: an adapter, layers that are reinitialized."""
    problems = []
    if config.adapter and config.adapter.method != "none":
        method = config.adapter.method
        message = (
            f"head_only trains the head alone, so {method} has no weights to adapt; use freezing=none, or adapter=none"
        )
        problems.append(Problem("freezing.policy", message))
    if config.model and config.model.reinit_layers:
        message = "reinitializes layers that freezing=head_only never trains; set it to 0, or use freezing=last_n"
        problems.append(Problem("model.reinit_layers", message))
    return problems
