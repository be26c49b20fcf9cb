"""(IA)³: one learned factor for each output of keys and values, and each input of the feed-forward. Knows no model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tunebook.config.options import Options as BaseOptions
from tunebook.models.adapters.base import named

if TYPE_CHECKING:
    from peft import PeftConfig

    from tunebook.models.adapters.base import Place

POSITION = "layers"


class Options(BaseOptions):
    """By peft's own names (Liu et al. 2022, arXiv 2205.05638). With so few parameters it needs a high learning rate.

    Args:
        target_modules: ends of module names; None: what peft knows to be usual for the architecture, else every
            linear layer (else every convolution) of the backbone's layers.
        feedforward_modules: those of them whose inputs are scaled, not their outputs; None: what peft knows, where
            target_modules is None too, else none.
    """

    target_modules: list[str] | None = Field(default=None, min_length=1)
    feedforward_modules: list[str] | None = None


def usual_targets(model_type: str) -> list[str] | None:
    """The modules that peft's own table names for an architecture."""
    from peft.utils import TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING

    return TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING.get(model_type)


def configuration(options: Options, place: Place) -> PeftConfig:
    """For peft."""
    from peft import IA3Config

    wanted = options.feedforward_modules
    if wanted is None and options.target_modules is None:
        wanted = _usual_feedforward(place.model_type)
    return IA3Config(
        **place.shared,
        target_modules=list(place.targets),
        feedforward_modules=named(place.targets, wanted or []),
        fan_in_fan_out=place.transposed,
    )


def _usual_feedforward(model_type: str) -> list[str]:
    from peft.utils import TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING

    return TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING.get(model_type, [])
