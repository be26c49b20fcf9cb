"""Trains the head on a frozen backbone first, then everything. Knows nothing of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from tunebook.config.options import Options as BaseOptions
from tunebook.models.policies._options import Rate, Share, rates, span_of, with_default
from tunebook.models.policies.base import Phase, Rule, Span, by_depth, require_head

if TYPE_CHECKING:
    from tunebook.models.depth import Depth


class Options(BaseOptions):
    """How long the head trains alone, and the base rate of each phase.

    It is LP-FT (Kumar et al. 2022, arXiv 2202.10054) and, with other rates, fastai's `fine_tune`.

    Args:
        head_epochs: length of the first phase in epochs; one of the three, default: 1 epoch.
        head_steps: the same in optimizer steps.
        head_share: the same as a share of the whole training.
        head_learning_rate: base rate while the head trains alone, absolute or as a share of
            `hyperparameters.learning_rate` such as `1000%`; None: that itself.
        learning_rate: the same for the second phase.
    """

    head_epochs: float | None = Field(default=None, gt=0)
    head_steps: int | None = Field(default=None, ge=1)
    head_share: Share | None = None
    head_learning_rate: Rate | None = None
    learning_rate: Rate | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_length(cls, given: Any) -> Any:
        return with_default(given, "head", head_epochs=1)


def longer_than(options: Options) -> Span | None:
    """The first phase, or no steps remain for the second."""
    return span_of(options, "head")


def phases(depth: Depth, options: Options) -> list[Phase]:
    """Two phases; each runs the schedule of learning rates from its beginning to its end.

    Raises:
        FreezingError: the model has no head of its own.
    """
    require_head(depth)
    backbone = [depth.embeddings, *depth.layers]
    first, first_share = rates(options.head_learning_rate)
    second, second_share = rates(options.learning_rate)
    head = by_depth(depth, frozen=backbone)
    return [
        Phase("head", head, span_of(options, "head"), first, first_share, restarts=True),
        Phase("everything", [Rule("everything", trainable=True)], None, second, second_share, restarts=True),
    ]
