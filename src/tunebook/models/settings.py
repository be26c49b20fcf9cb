"""The configuration that a model is loaded or built by: read, described in a recipe, or changed. Loads no weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import transformers
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, PreTrainedConfig

from tunebook.errors import ModelError, Problem, did_you_mean
from tunebook.models.locate import Location, reading

if TYPE_CHECKING:
    from tunebook.config.schema import ModelConfig


def saved_config(location: Location) -> PreTrainedConfig:
    """The configuration beside the weights.

    Raises:
        NothingReached: neither the Hub nor the cache has it.
        ModelError: it cannot be read.
    """
    with reading(location, "the model's configuration"):
        # Without an explicit False transformers asks on the terminal whether to run the checkpoint's code.
        return AutoConfig.from_pretrained(location.name_or_path, revision=location.revision, trust_remote_code=False)


def built_config(config_model: ModelConfig) -> PreTrainedConfig:
    """The one that `model.config` describes, for a model from scratch.

    Raises:
        ModelError: an unknown architecture or setting, or values that the architecture refuses.
    """
    settings = dict(config_model.config or {})
    model_type = settings.pop("model_type", None)
    if model_type is None:
        message = "missing; it names the architecture (bert, vit, …)"
        raise ModelError(Problem("model.config.model_type", message))
    if model_type not in transformers.CONFIG_MAPPING:
        hint = did_you_mean(model_type, transformers.CONFIG_MAPPING.keys())
        message = f"no architecture {model_type!r}; {hint}"
        raise ModelError(Problem("model.config.model_type", message))
    _check_names(AutoConfig.for_model(model_type), settings, "model.config")
    try:
        return AutoConfig.for_model(model_type, **settings)
    except (ValueError, TypeError, StrictDataclassError) as error:
        raise ModelError(Problem("model.config", f"refused by {model_type}: {error}")) from error


def _check_names(config: PreTrainedConfig, settings: Mapping[str, Any], key: str) -> None:
    unknown = [name for name in settings if not hasattr(config, name)]
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
        # Said even when None: a checkpoint's old kind of problem must not choose the new loss.
        config.problem_type = cast(Any, problem_type)
