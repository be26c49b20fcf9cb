"""Trains the head alone, then each layer alone from the first on, at last everything. Knows nothing of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from tunebook.config.options import Options as BaseOptions
from tunebook.models.policies._options import Share, span_of, with_default
from tunebook.models.policies.base import Phase, Rule, Span, by_depth, require_layers

if TYPE_CHECKING:
    from tunebook.models.depth import Depth


class Options(BaseOptions):
    """How long each phase lasts (Felbo et al. 2017, arXiv 1708.00524).

    Args:
        every_epochs: length of each phase but the last in epochs; without any of the three, all phases share the
            training equally.
        every_steps: the same in optimizer steps.
        every_share: the same as a share of the whole training.
        restarts: whether each phase restarts the learning rate schedule.
    """

    every_epochs: float | None = Field(default=None, gt=0)
    every_steps: int | None = Field(default=None, ge=1)
    every_share: Share | None = None
    restarts: bool = False

    @model_validator(mode="before")
    @classmethod
    def _one_length(cls, given: Any) -> Any:
        return with_default(given, "every")


def longer_than(options: Options) -> Span | None:
    """Three phases at least: the head, one layer, everything."""
    every = span_of(options, "every")
    return Span(2 * every.amount, every.unit) if every else None


def phases(depth: Depth, options: Options) -> list[Phase]:
    """One phase for the head, one for each other group from the embeddings up, one for everything.

    Raises:
        FreezingError: the model has no layers to take one after the other.
    """
    require_layers(depth, 0)
    groups = [group for group in (depth.head, depth.embeddings, *depth.layers) if group.parameter_names]
    every = span_of(options, "every") or Span(1 / (len(groups) + 1), "share")
    phases = []
    for group in groups:
        rules = by_depth(depth, frozen=[other for other in depth.groups if other is not group])
        phases.append(Phase(f"{group.name} alone", rules, every, restarts=options.restarts))
    return [*phases, Phase("everything", [Rule("everything", trainable=True)], restarts=options.restarts)]
