"""Loads what turns raw text or images into a model's inputs; knows nothing of tasks or of data."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, get_type_hints

import transformers
from transformers import AutoImageProcessor, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.image_processing_utils import BaseImageProcessor

from tunebook.errors import ModelError, Problem, did_you_mean
from tunebook.models.locate import locate, reading

if TYPE_CHECKING:
    from tunebook.config.schema import ModelConfig

logger = logging.getLogger("tunebook")
# The PIL backend needs no torchvision and gives the same pixels on every machine.
BACKEND = "pil"


def load_tokenizer(config_model: ModelConfig) -> PreTrainedTokenizerBase:
    """The tokenizer that was saved with the model.

    One without a padding token (GPT-like) pads with its end-of-text token; `set_padding` tells the model.

    Args:
        config_model: the group `model`.

    Raises:
        ModelError: there is no tokenizer, or it has neither a padding nor an end-of-text token.
        NothingReached: neither the Hub nor the cache has it.
    """
    if config_model.config is not None:
        message = "a model built from model.config has no tokenizer; name a checkpoint in model.name_or_path"
        raise ModelError(Problem("model.config", message))
    location = locate(config_model)
    with reading(location, "the tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(
            location.name_or_path, revision=location.revision, trust_remote_code=False
        )
    # Without tokenizer files transformers 5 hands out one that knows its special tokens only.
    if len(tokenizer) <= len(set(tokenizer.all_special_tokens)):
        message = (
            f"{location.described} has no tokenizer files; copy them from the model it was trained from, "
            "with tokenizer.save_pretrained(folder)"
        )
        raise ModelError(Problem("model.name_or_path", message))
    _ensure_padding(tokenizer)
    return tokenizer


def set_padding(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Tells the model which token is padding, and checks that it has a row for every token.

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


def _ensure_padding(tokenizer: PreTrainedTokenizerBase) -> None:
    if tokenizer.pad_token is not None:
        return
    if tokenizer.eos_token is None:
        message = "the tokenizer has neither a padding nor an end-of-text token; set one and save it again"
        raise ModelError(Problem("model.name_or_path", message))
    tokenizer.pad_token = tokenizer.eos_token
    logger.info("the tokenizer has no padding token; it pads with its end token %s", tokenizer.eos_token)


def _built_processor(settings: dict[str, Any]) -> BaseImageProcessor:
    key = "model.processor.image_processor_type"
    name = settings.pop("image_processor_type", None)
    known = [entry for entry in dir(transformers) if entry.endswith("ImageProcessor")]
    if name not in known:
        hint = did_you_mean(str(name), known)
        raise ModelError(Problem(key, f"no image processor {name!r}; {hint}"))
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
