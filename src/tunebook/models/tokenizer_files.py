"""Reads a tokenizer's files and gives it a padding token; knows nothing of tasks or of a model's configuration."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from tunebook.errors import ModelError, NothingReached, Problem
from tunebook.models.locate import locate, reading

if TYPE_CHECKING:
    from tunebook.config.schema import ModelConfig

logger = logging.getLogger("tunebook")


def read_tokenizer(config_model: ModelConfig) -> PreTrainedTokenizerBase:
    """The tokenizer of `model.tokenizer`, else the one that was saved with the model; with its chat template.

    Raises:
        ModelError: there is no tokenizer, or it has neither a padding nor an end-of-text token.
        NothingReached: neither the Hub nor the cache has it.
    """
    key = "model.name_or_path" if config_model.tokenizer is None else "model.tokenizer"
    if config_model.tokenizer is not None:
        own = {"name_or_path": config_model.tokenizer, "package": None, "revision": None}
        config_model = config_model.model_copy(update=own)
    elif config_model.config is not None:
        message = "a model built from model.config has no tokenizer of its own; name one (a folder or a Hub id)"
        raise ModelError(Problem("model.tokenizer", message))
    try:
        location = locate(config_model)
        with reading(location, "the tokenizer"):
            tokenizer = AutoTokenizer.from_pretrained(
                location.name_or_path, revision=location.revision, trust_remote_code=False
            )
    except (ModelError, NothingReached) as error:
        raise type(error)([Problem(key, problem.message) for problem in error.problems]) from error
    # Without tokenizer files transformers 5 returns a tokenizer that knows its special tokens only.
    if len(tokenizer) <= len(set(tokenizer.all_special_tokens)):
        message = (
            f"{location.described} has no tokenizer files; name a tokenizer in model.tokenizer, or copy its files "
            "with tokenizer.save_pretrained(folder)"
        )
        raise ModelError(Problem(key, message))
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            message = "the tokenizer has neither a padding nor an end-of-text token; set one and save it again"
            raise ModelError(Problem(key, message))
        tokenizer.pad_token = tokenizer.eos_token
        logger.info("the tokenizer has no padding token; it pads with its end token %s", tokenizer.eos_token)
    return tokenizer
