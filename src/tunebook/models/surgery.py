"""Takes layers out of a model, and draws layers or a head anew; knows nothing of files, tasks or training."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from tunebook.errors import ModelError, Problem
from tunebook.models.classifier import BackboneClassifierConfig
from tunebook.models.depth import find_depth

DROP = "model.drop_layers"
REINIT = "model.reinit_layers"
BY_LAYER = ("layer", "window")
"""In the names of settings that have one value a layer (layer_types, attention_window)."""
USUAL_STD = 0.02
"""Of transformers' own initialisation where an architecture says none."""
MARK = "_is_hf_initialized"
"""By which transformers knows modules, parameters and buffers that are not to be drawn."""


def drop_layers(config: PreTrainedConfig, count: int, auto: Any) -> str:
    """Takes the top layers out of a configuration: a model that is loaded by it never has them.

    Sajjad et al. 2020 (arXiv 2004.03844) find that the top layers are those that a task misses least. What stands
    behind the layers (final norm, pooler) stays.

    Args:
        config: of the whole checkpoint; changed.
        count: how many layers go.
        auto: transformers' class that will load the model.

    Returns:
        A few words on what was done, "" where nothing was.

    Raises:
        ModelError: the architecture has fewer layers, or none that can be taken out.
    """
    if not count:
        return ""
    backbone = _backbone_of(config)
    layers = getattr(backbone, "num_hidden_layers", None)
    refused = f"layers cannot be taken out of {backbone.model_type}; set it to 0"
    if layers is None or backbone.is_encoder_decoder or _layers_of(config, auto) != layers:
        raise ModelError(Problem(DROP, refused))
    if count >= layers:
        raise ModelError(
            Problem(DROP, f"is {count}, but {backbone.model_type} has {layers} layers; at most {layers - 1}")
        )
    kept = layers - count
    for name, value in list(vars(backbone).items()):
        if any(word in name for word in BY_LAYER) and isinstance(value, list | tuple) and len(value) == layers:
            setattr(backbone, name, value[:kept])
    backbone.num_hidden_layers = kept
    if len(getattr(backbone, "stage_names", None) or []) == layers + 1:  # a backbone, with its stem
        backbone.stage_names = backbone.stage_names[: kept + 1]
        backbone.set_output_features_output_indices(None, None)
    if _layers_of(config, auto) != kept or _read_back(backbone).num_hidden_layers != kept:
        raise ModelError(Problem(DROP, refused))
    return f"the top {count} of {layers} layers are taken out"


def reinit_layers(model: PreTrainedModel, count: int, seed: int) -> tuple[str, ...]:
    """Draws the top layers anew, as the architecture initialises them (Zhang et al. 2021, arXiv 2006.05987).

    What stands behind the last layer in the backbone (pooler, final norm) counts as a part of it. Each layer has a
    seed of its own, so that it is drawn alike however many others are.

    Args:
        model: loaded; its other weights, its statistics and the global random state stay as they are.
        count: how many layers.
        seed: of the run.

    Returns:
        Names of the parameters that were drawn.

    Raises:
        ModelError: the model has fewer layers, or parameters that its architecture does not initialise.
    """
    if not count:
        return ()
    layers = find_depth(model).layers
    if count > len(layers):
        kind = _backbone_of(model.config).model_type
        message = f"is {count}, but {kind} has {len(layers)} layers" + (f"; at most {len(layers)}" if layers else "")
        raise ModelError(Problem(REINIT, message))
    for place, layer in enumerate(reversed(layers[-count:])):
        with _seeded(seed, f"layer {place} from the top"):
            _draw(model, layer.parameter_names)
    return tuple(name for layer in layers[-count:] for name in layer.parameter_names)


def renew_labels(model: PreTrainedModel, auto: Any, seed: int) -> set[str]:
    """Draws what has a part for each label anew, as transformers does where a checkpoint has another number of them.

    Args:
        model: with its head.
        auto: transformers class that builds such a model from its configuration.
        seed: of the run.

    Returns:
        Names of the parameters that were drawn.
    """
    config = copy.deepcopy(model.config)
    config.num_labels = len(model.config.id2label or {}) + 1
    with torch.device("meta"):
        other = dict(auto.from_config(config, trust_remote_code=False).named_parameters())
    names = {name for name, own in model.named_parameters() if other.get(name, own).shape != own.shape}
    with _seeded(seed, "head"):
        _draw(model, names)
    return names


def init_head(model: PreTrainedModel, new: Iterable[str], how: str, seed: int) -> None:
    """Draws the matrices of a newly initialised head by a named method; their biases become zero.

    `normal`: with the architecture's `initializer_range`; `xavier`: uniform (Glorot and Bengio 2010); `kaiming`:
    uniform for ReLU (He et al. 2015, arXiv 1502.01852); `zeros`: the last matrix only, as one of zeros in front of
    another would never learn; `default`: nothing is changed.

    Args:
        model: with its head.
        new: names of the head's newly initialised parameters.
        how: the method.
        seed: of the run.

    Raises:
        ModelError: nothing of the head is new.
    """
    if how == "default":
        return
    parameters = dict(model.named_parameters())
    names = [name for name in new if name in parameters]
    matrices = [parameters[name] for name in names if parameters[name].dim() >= 2]
    if not matrices:
        message = f"is {how}, but the whole head came from the checkpoint: there is nothing to draw; set it to default"
        raise ModelError(Problem("model.init", message))
    std = getattr(model.config, "initializer_range", None) or USUAL_STD
    with _seeded(seed, "head"), torch.no_grad():
        for matrix in matrices if how != "zeros" else matrices[-1:]:
            if how == "normal":
                nn.init.normal_(matrix, std=std)
            elif how == "xavier":
                nn.init.xavier_uniform_(matrix)
            elif how == "kaiming":
                nn.init.kaiming_uniform_(matrix, nonlinearity="relu")
            else:
                nn.init.zeros_(matrix)
        for name in names:
            if name.endswith("bias"):
                nn.init.zeros_(parameters[name])


def require_trained(model: nn.Module, drawn: Iterable[str], trained: Container[str]) -> None:
    """A layer that was reinitialized and never trains would only be noise in front of what does.

    Raises:
        ModelError: a matrix that was reinitialized stays frozen for the whole run.
    """
    parameters = dict(model.named_parameters())
    left = [name for name in drawn if name in parameters and parameters[name].dim() >= 2 and name not in trained]
    if left:
        message = (
            f"draws {left[0]}{' and others' if left[1:] else ''} anew, which stay frozen for the whole run; let these "
            "layers train (freezing=none, without an adapter), or set it to 0"
        )
        raise ModelError(Problem(REINIT, message))


def _backbone_of(config: PreTrainedConfig) -> PreTrainedConfig:
    return config.backbone if isinstance(config, BackboneClassifierConfig) else config


def _layers_of(config: PreTrainedConfig, auto: Any) -> int:
    """How many layers of like width a model of this configuration has, 0 for unlike ones; no weights are made."""
    with torch.device("meta"):
        model = auto.from_config(copy.deepcopy(config), trust_remote_code=False)
    layers = [model.get_submodule(name) for name in find_depth(model).layer_modules]
    shapes = [{name: parameter.shape for name, parameter in layer.named_parameters()} for layer in layers]
    # Names that only some have are fine: ModernBERT's first layer has no norm. Stages of unlike width are not.
    alike = all(shape == shapes[-1].get(name, shape) for own in shapes for name, shape in own.items())
    return len(layers) if alike else 0


def _read_back(config: PreTrainedConfig) -> PreTrainedConfig:
    """As it will be read when the model is loaded again."""
    try:
        return type(config).from_dict(config.to_dict())
    except (ValueError, TypeError, StrictDataclassError) as error:
        message = f"{config.model_type} with fewer layers could not be loaded again: {error}"
        raise ModelError(Problem(DROP, message)) from error


def _draw(model: PreTrainedModel, names: Iterable[str]) -> None:
    """Has transformers initialise some parameters: it leaves alone what is marked as initialised."""
    drawn = set(names)
    parameters = dict(model.named_parameters())
    inside = {name.rpartition(".")[0] for name in drawn}
    marked: list[Any] = [
        module
        for name, module in model.named_modules()
        if not any(owner == name or not name or owner.startswith(f"{name}.") for owner in inside)
    ]
    marked += [tensor for name, tensor in parameters.items() if name not in drawn]
    marked += [tensor for name, tensor in model.named_buffers() if name.rpartition(".")[0] not in inside]
    every: list[Any] = [*model.modules(), *model.parameters(), *model.buffers()]
    before = [vars(entry).get(MARK) for entry in every]
    try:
        for entry in every:
            setattr(entry, MARK, False)
        for entry in marked:
            setattr(entry, MARK, True)
        with torch.no_grad():
            for name in drawn:
                parameters[name].fill_(float("nan"))
        model.initialize_weights()
    finally:
        for entry, was in zip(every, before, strict=True):
            if was is None:
                delattr(entry, MARK)
            else:
                setattr(entry, MARK, was)
    if left := sorted(name for name in drawn if bool(parameters[name].isnan().any())):
        message = f"{type(model).__name__} has no initialisation of its own for {', '.join(left[:5])}; set it to 0"
        raise ModelError(Problem(REINIT, message))


@contextmanager
def _seeded(seed: int, what: str) -> Iterator[None]:
    """Random numbers that depend on the seed and on what is drawn; the global state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(zlib.crc32(f"{seed} {what}".encode()))
        yield
