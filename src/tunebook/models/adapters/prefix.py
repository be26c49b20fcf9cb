"""Prefix tuning: learned keys and values in front of those of every layer. Knows no model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tunebook.config.options import Options as BaseOptions

if TYPE_CHECKING:
    from peft import PeftConfig

    from tunebook.models.adapters.base import Place

STANDS = "input"


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
