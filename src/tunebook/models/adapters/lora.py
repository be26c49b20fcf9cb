"""LoRA and its variants: the product of two small matrices is added to each weight matrix. Knows no model."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tunebook.config.options import Options as BaseOptions
from tunebook.errors import Problem

if TYPE_CHECKING:
    from peft import PeftConfig

    from tunebook.config.schema import Config
    from tunebook.models.adapters.base import Place

POSITION = "layers"


class Options(BaseOptions):
    """By peft's own names (LoRA: Hu et al. 2021, arXiv 2106.09685).

    Args:
        r: the rank: rows of the one matrix, columns of the other.
        lora_alpha: the product is scaled by lora_alpha / r.
        lora_dropout: share of the inputs of the first matrix that are dropped while training.
        target_modules: ends of module names, e.g. `[query, value]`; None: what peft knows to be usual for the
            architecture, else every linear layer (else every convolution) of the backbone's layers.
        use_dora: direction and length of each weight are trained separately (Liu et al. 2024, arXiv 2402.09353).
        use_rslora: scaled by lora_alpha / sqrt(r), for large ranks (Kalajdzievski 2023, arXiv 2312.03732).
        bits: 4: the base model is loaded in 4 bits (QLoRA, Dettmers et al. 2023, arXiv 2305.14314); needs a GPU.
    """

    r: int = Field(default=8, ge=1)
    lora_alpha: int = Field(default=16, ge=1)
    lora_dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: list[str] | None = Field(default=None, min_length=1)
    use_dora: bool = False
    use_rslora: bool = False
    bits: Literal[4] | None = None


def usual_targets(model_type: str) -> list[str] | None:
    """The modules that peft's own table names for an architecture."""
    from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING

    known = TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING.get(model_type)
    return known if isinstance(known, list) else None


def configuration(options: Options, place: Place) -> PeftConfig:
    """For peft."""
    from peft import LoraConfig

    return LoraConfig(
        **place.shared,
        target_modules=list(place.targets),
        fan_in_fan_out=place.transposed,
        **options.model_dump(exclude={"target_modules", "bits"}),
    )


def problems(config: Config) -> list[Problem]:
    """What a base model in 4 bits needs and cannot have."""
    if config.adapter.options.bits is None:  # type: ignore[attr-defined]
        return []
    problems = []
    if importlib.util.find_spec("bitsandbytes") is None:
        message = "needs the package bitsandbytes: pip install 'tunebook[qlora]'; or use adapter=lora"
        problems.append(Problem("adapter.bits", message))
    if config.runtime and config.runtime.use_cpu:
        problems.append(Problem("adapter.bits", "needs a GPU, and runtime.use_cpu=true; use adapter=lora"))
    if config.adapter.save != "adapter":
        message = "merged into weights of 4 bits an adapter is rounded; set adapter.save=adapter"
        problems.append(Problem("adapter.save", message))
    return problems
