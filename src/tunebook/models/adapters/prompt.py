"""Prompt tuning: learned token embeddings in front of the text. Knows no model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tunebook.config.options import Options as BaseOptions

if TYPE_CHECKING:
    from peft import PeftConfig

    from tunebook.models.adapters.base import Place

POSITION = "input"


class Options(BaseOptions):
    """By peft's own names (Lester et al. 2021, arXiv 2104.08691).

    Args:
        num_virtual_tokens: learned tokens in front of the text.
        prompt_tuning_init: initial values: `random` numbers, or random tokens of the vocabulary.
    """

    num_virtual_tokens: int = Field(default=20, ge=1)
    prompt_tuning_init: Literal["random", "sample_vocab"] = "sample_vocab"


def configuration(options: Options, place: Place) -> PeftConfig:
    """For peft."""
    from peft import PromptTuningConfig

    return PromptTuningConfig(
        **place.shared,
        num_virtual_tokens=options.num_virtual_tokens,
        prompt_tuning_init=options.prompt_tuning_init.upper(),
        token_dim=place.widths[0],
    )
