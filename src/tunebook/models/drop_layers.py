"""Takes the top layers out of a model's configuration; knows nothing of weights, files, tasks or training."""

from __future__ import annotations

from typing import Any

from huggingface_hub.errors import StrictDataclassError
from transformers import PreTrainedConfig

from tunebook.errors import ModelError, Problem
from tunebook.models.depth import find_depth
from tunebook.models.settings import backbone_config, without_weights

KEY = "model.drop_layers"
BY_LAYER = ("layer", "window")
"""In the names of settings that have one value per layer (layer_types, attention_window)."""


def drop_layers(config: PreTrainedConfig, count: int, auto: Any) -> str:
    """Takes the top layers out of a configuration: a model that is loaded by it never has them.

    Sajjad et al. 2020 (arXiv 2004.03844) find that a task loses least without the top layers. What comes
    after the layers (final norm, pooler) stays.

    Returns:
        A few words for the log, "" where nothing was done.

    Raises:
        ModelError: the architecture has fewer layers, or none that can be taken out.
    """
    if not count:
        return ""
    backbone = backbone_config(config)
    layers = getattr(backbone, "num_hidden_layers", None)
    refused = f"layers cannot be taken out of {backbone.model_type}; set it to 0"
    if layers is None or backbone.is_encoder_decoder or _layers_of(config, auto) != layers:
        raise ModelError(Problem(KEY, refused))
    if count >= layers:
        message = f"is {count}, but {backbone.model_type} has {layers} layers; at most {layers - 1}"
        raise ModelError(Problem(KEY, message))
    remaining = layers - count
    for name, value in list(vars(backbone).items()):
        if any(word in name for word in BY_LAYER) and isinstance(value, list | tuple) and len(value) == layers:
            setattr(backbone, name, value[:remaining])
    backbone.num_hidden_layers = remaining
    if len(getattr(backbone, "stage_names", None) or []) == layers + 1:  # a backbone, with its stem
        backbone.stage_names = backbone.stage_names[: remaining + 1]
        backbone.set_output_features_output_indices(None, None)
    if _layers_of(config, auto) != remaining or _read_back(backbone).num_hidden_layers != remaining:
        raise ModelError(Problem(KEY, refused))
    return f"the top {count} of {layers} layers are taken out"


def _layers_of(config: PreTrainedConfig, auto: Any) -> int:
    """How many layers of equal shapes a model of this configuration has, 0 for different ones; no weights are made."""
    model = without_weights(auto, config)
    layers = [model.get_submodule(name) for name in find_depth(model).layer_modules]
    shapes = [{name: parameter.shape for name, parameter in layer.named_parameters()} for layer in layers]
    # Names that only some have are fine: ModernBERT's first layer has no norm. Stages of unlike width are not.
    alike = all(shape == shapes[-1].get(name, shape) for own in shapes for name, shape in own.items())
    return len(layers) if alike else 0


def _read_back(config: PreTrainedConfig) -> PreTrainedConfig:
    """The configuration as it will be read when the model is loaded again."""
    try:
        return type(config).from_dict(config.to_dict())
    except (ValueError, TypeError, StrictDataclassError) as error:
        message = f"{config.model_type} with fewer layers could not be loaded again: {error}"
        raise ModelError(Problem(KEY, message)) from error
