"""Prefix tuning: learned keys and values in front of those of every layer. Knows no model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tunebook.config.options import Options as BaseOptions
from tunebook.errors import Problem

if TYPE_CHECKING:
    from peft import PeftConfig

    from tunebook.config.schema import Config
    from tunebook.models.adapters.base import Place

POSITION = "input"


class Options(BaseOptions):
    """By peft's own names (Li and Liang 2021, arXiv 2101.00190).

    Args:
        num_virtual_tokens: positions before the text that every layer can attend to.
    """

    num_virtual_tokens: int = Field(default=20, ge=1)


def configuration(options: Options, place: Place) -> PeftConfig:
    """For peft."""
    from peft import PrefixTuningConfig

    return PrefixTuningConfig(**place.shared, token_dim=place.widths[1], **options.model_dump())


def problems(config: Config) -> list[Problem]:
    """Activation checkpointing, which computes the layers again without the prefix."""
    if not (config.runtime and config.runtime.activation_checkpointing):
        return []
    message = "throws away the keys and values that adapter=prefix puts in front; set it to false"
    return [Problem("runtime.activation_checkpointing", message)]
