"""The `PreTrainedConfig` that a model is loaded or built by: read, built from a recipe, changed. Loads no weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, PreTrainedConfig, PreTrainedTokenizerBase

from tunebook.errors import ModelError, Problem, did_you_mean
from tunebook.models.classifier import BackboneClassifierConfig
from tunebook.models.locate import locate, reading
from tunebook.models.tokenizer_files import read_tokenizer

if TYPE_CHECKING:
    from tunebook.config.schema import ModelConfig

DECODER_SETTINGS = {"decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id"}
"""Settings of every encoder-decoder, also where its configuration has no default for them (T5)."""


def model_settings(config_model: ModelConfig) -> PreTrainedConfig:
    """The configuration of the group `model`: built from `model.config`, else the one that is saved with the weights.

    Raises:
        NothingReached: neither the Hub nor the cache has it.
        ModelError: it cannot be read; an unknown architecture or setting, or values that the architecture refuses.
    """
    if config_model.config is not None:
        return _built_config(config_model)
    location = locate(config_model)
    with reading(location, "the model's configuration"):
        # Without an explicit False transformers asks on the terminal whether to run the checkpoint's code.
        return AutoConfig.from_pretrained(location.name_or_path, revision=location.revision, trust_remote_code=False)


def _built_config(config_model: ModelConfig) -> PreTrainedConfig:
    """The one that `model.config` describes, for a model from scratch."""
    settings = dict(config_model.config or {})
    model_type = settings.pop("model_type", None)
    if model_type is None:
        message = "missing; it names the architecture (bert, vit, …)"
        raise ModelError(Problem("model.config.model_type", message))
    if model_type not in transformers.CONFIG_MAPPING:
        hint = did_you_mean(model_type, transformers.CONFIG_MAPPING.keys())
        message = f"no architecture {model_type!r}; {hint}"
        raise ModelError(Problem("model.config.model_type", message))
    usual = AutoConfig.for_model(model_type)
    _check_names(usual, settings, "model.config")
    if config_model.tokenizer is not None:
        settings = _token_settings(usual, read_tokenizer(config_model)) | settings
    try:
        return AutoConfig.for_model(model_type, **settings)
    except (ValueError, TypeError, StrictDataclassError) as error:
        raise ModelError(Problem("model.config", f"refused by {model_type}: {error}")) from error


def backbone_config(config: PreTrainedConfig) -> PreTrainedConfig:
    """The architecture's own configuration, also where a head of ours is around the backbone."""
    return config.backbone if isinstance(config, BackboneClassifierConfig) else config


def without_weights(auto: Any, config: PreTrainedConfig) -> Any:
    """A model of a configuration on the device `meta`: its modules and shapes, at no cost."""
    with torch.device("meta"):
        return auto.from_config(copy.deepcopy(config), trust_remote_code=False)


def _token_settings(usual: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """Size of the vocabulary and ids of special tokens, as a tokenizer has them.

    Which of them begins a decoder's text follows from the architecture's `usual` settings.
    """
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "bos", "eos")}
    # BERT-like tokenizers mark the beginning and the end of a text by [CLS] and [SEP].
    ids["bos_token_id"] = tokenizer.cls_token_id if ids["bos_token_id"] is None else ids["bos_token_id"]
    ids["eos_token_id"] = tokenizer.sep_token_id if ids["eos_token_id"] is None else ids["eos_token_id"]
    settings: dict[str, Any] = {"vocab_size": len(tokenizer)}
    settings |= {name: value for name, value in ids.items() if hasattr(usual, name)}  # T5 begins no text
    if not usual.is_encoder_decoder:
        return settings
    if hasattr(usual, "decoder_vocab_size"):
        settings["decoder_vocab_size"] = len(tokenizer)
    start = getattr(usual, "decoder_start_token_id", usual.pad_token_id)
    if start is not None:
        settings["decoder_start_token_id"] = ids["eos_token_id" if start == usual.eos_token_id else "pad_token_id"]
    if getattr(usual, "forced_eos_token_id", None) is not None:
        settings["forced_eos_token_id"] = ids["eos_token_id"]
    return settings


def _check_names(config: PreTrainedConfig, settings: Mapping[str, Any], key: str) -> None:
    known = DECODER_SETTINGS if config.is_encoder_decoder else set()
    unknown = [name for name in settings if name not in known and not hasattr(config, name)]
    if unknown:
        allowed = [name for name in config.to_dict() if not name.startswith("_")]
        kind = config.model_type
        raise ModelError(
            [Problem(f"{key}.{n}", f"{kind} has no such setting; {did_you_mean(n, allowed)}") for n in unknown]
        )


def apply_settings(
    config: PreTrainedConfig, label_names: list[str], problem_type: str | None, overrides: Mapping[str, Any]
) -> None:
    """Puts labels, the kind of problem and further settings into a configuration.

    Raises:
        ModelError: the architecture has no such setting.
    """
    _check_names(config, overrides, "model")
    for name, value in overrides.items():
        setattr(config, name, value)
    if label_names:
        config.id2label = dict(enumerate(label_names))
        config.label2id = {name: number for number, name in enumerate(label_names)}
    elif problem_type == "regression":
        config.num_labels = 1
    if label_names or problem_type:
        # Set also when None: a checkpoint's old problem type must not choose the new loss.
        config.problem_type = cast(Any, problem_type)
