"""Loads what turns raw text or images into a model's inputs; knows nothing of tasks or of data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_type_hints

import transformers
from torch import nn
from transformers import (
    MODEL_MAPPING,
    AutoImageProcessor,
    AutoModel,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.image_processing_utils import BaseImageProcessor

from tunebook.errors import ModelError, Problem, did_you_mean
from tunebook.models.locate import locate, reading
from tunebook.models.settings import backbone_config, model_settings, without_weights
from tunebook.models.tokenizer_files import read_tokenizer

if TYPE_CHECKING:
    from tunebook.config.schema import ModelConfig

# The PIL backend needs no torchvision and gives the same pixels on every machine.
BACKEND = "pil"


def load_tokenizer(config_model: ModelConfig) -> PreTrainedTokenizerBase:
    """The tokenizer of `model.tokenizer`, else the one that was saved with the model; with its chat template.

    One without a padding token (GPT-like) pads with its end-of-text token; `set_padding` sets it in the model's
    configuration. Its `model_max_length` is at most what the model has position embeddings for; a model without such a
    table (T5, Llama) leaves it as it was saved.

    Raises:
        ModelError: there is no tokenizer, or it has neither a padding nor an end-of-text token.
        NothingReached: neither the Hub nor the cache has it.
    """
    tokenizer = read_tokenizer(config_model)
    longest = position_count(model_settings(config_model))
    if longest is not None:
        tokenizer.model_max_length = min(tokenizer.model_max_length, longest)
    return tokenizer


def position_count(config: PreTrainedConfig) -> int | None:
    """How many tokens a model has position embeddings for; None: it has no table of them, so no fixed length."""
    config = backbone_config(config)
    stated = getattr(config, "max_position_embeddings", None)
    if not stated or type(config) not in MODEL_MAPPING:
        return None
    model = without_weights(AutoModel, config)
    words = {id(model.get_input_embeddings())}
    tables = [module for module in model.modules() if isinstance(module, nn.Embedding) and id(module) not in words]
    counts = []
    for table in tables:
        # BART's table has two rows more than it has positions; RoBERTa counts from its padding id + 1.
        rows = table.num_embeddings - int(getattr(table, "offset", 0))
        if rows == stated:
            counts.append(rows - (0 if table.padding_idx is None else table.padding_idx + 1))
    return min(counts, default=None)


def set_padding(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Sets the padding token in the model's configuration, and checks that its embeddings have a row for every token.

    Args:
        model: its configuration is changed where it names no padding token.
        tokenizer: as `load_tokenizer` gives it.

    Raises:
        ModelError: the tokenizer has more tokens than the model.
    """
    table = model.get_input_embeddings()
    rows = getattr(table, "num_embeddings", None)
    if rows is not None and len(tokenizer) > rows:
        message = f"the tokenizer has {len(tokenizer)} tokens, the model {rows}: they do not belong together"
        raise ModelError(Problem("model.name_or_path", message))
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id


def load_image_processor(config_model: ModelConfig) -> BaseImageProcessor:
    """The image processor that was saved with the model, or the one that `model.processor` describes.

    Args:
        config_model: the group `model`; `processor` holds `image_processor_type` and that class's settings.

    Raises:
        ModelError: there is none, or its settings are unknown.
        NothingReached: neither the Hub nor the cache has it.
    """
    if config_model.processor is not None:
        return _built_processor(dict(config_model.processor))
    if config_model.config is not None:
        message = "a model built from model.config has no saved processor; describe one in model.processor"
        raise ModelError(Problem("model.processor", message))
    location = locate(config_model)
    with reading(location, "the image processor (model.processor can describe one instead)"):
        return AutoImageProcessor.from_pretrained(
            location.name_or_path, revision=location.revision, backend=BACKEND, trust_remote_code=False
        )


def _built_processor(settings: dict[str, Any]) -> BaseImageProcessor:
    key = "model.processor.image_processor_type"
    name = settings.pop("image_processor_type", None)
    known = [entry for entry in dir(transformers) if entry.endswith("ImageProcessor")]
    if name not in known:
        raise ModelError(Problem(key, f"no image processor {name!r}; {did_you_mean(str(name), known)}"))
    kind = getattr(transformers, name + "Pil", None) or getattr(transformers, name)
    if not issubclass(kind, BaseImageProcessor):
        raise ModelError(Problem(key, f"{name} cannot run without torchvision"))
    allowed = set(get_type_hints(kind.valid_kwargs))
    unknown = [setting for setting in settings if setting not in allowed]
    if unknown:
        raise ModelError(
            [Problem(f"model.processor.{n}", f"unknown to {name}; {did_you_mean(n, allowed)}") for n in unknown]
        )
    return kind(**settings)
