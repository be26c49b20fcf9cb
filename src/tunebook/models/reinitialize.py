"""Reinitializes layers or a head of a loaded model, by a seed; knows nothing of files, tasks or training."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from tunebook.errors import ModelError, Problem
from tunebook.models.depth import backbone_settings, find_depth
from tunebook.models.settings import without_weights

KEY = "model.reinit_layers"
USUAL_STD = 0.02
"""Of transformers' own initialisation where an architecture says none."""
MARK = "_is_hf_initialized"
"""The attribute by which transformers skips modules, parameters and buffers in initialisation."""


def reinit_layers(model: PreTrainedModel, count: int, seed: int) -> tuple[str, ...]:
    """Reinitializes the top layers as their architecture does (Zhang et al. 2021, arXiv 2006.05987).

    What comes after the last layer in the backbone (pooler, final norm) is part of it. Each layer has a seed of its
    own, so that its values do not depend on how many others are reinitialized.

    Returns:
        Names of the reinitialized parameters.

    Raises:
        ModelError: the model has fewer layers, or parameters that its architecture does not initialise.
    """
    if not count:
        return ()
    layers = find_depth(model).layers
    if count > len(layers):
        kind = backbone_settings(model).model_type
        message = f"is {count}, but {kind} has {len(layers)} layers" + (f"; at most {len(layers)}" if layers else "")
        raise ModelError(Problem(KEY, message))
    for place, layer in enumerate(reversed(layers[-count:])):
        with _seeded(seed, f"layer {place} from the top"):
            _initialize(model, layer.parameter_names)
    return tuple(name for layer in layers[-count:] for name in layer.parameter_names)


def reinit_labels(model: PreTrainedModel, auto: Any, seed: int) -> set[str]:
    """Reinitializes what has a part for each label, as transformers does where a checkpoint has another number of them.

    Returns:
        Names of the reinitialized parameters.
    """
    config = copy.deepcopy(model.config)
    config.num_labels = len(model.config.id2label or {}) + 1
    other = dict(without_weights(auto, config).named_parameters())
    names = {name for name, own in model.named_parameters() if other.get(name, own).shape != own.shape}
    with _seeded(seed, "head"):
        _initialize(model, names)
    return names


def init_head(model: PreTrainedModel, new: Iterable[str], how: str, seed: int) -> None:
    """Initializes the matrices of a new head by a named method; their biases become zero.

    `normal`: with the architecture's `initializer_range`; `xavier`: uniform (Glorot and Bengio 2010); `kaiming`:
    uniform for ReLU (He et al. 2015, arXiv 1502.01852); `zeros`: the last matrix only, as one of zeros in front of
    another would never learn; `default`: nothing is changed.

    Raises:
        ModelError: nothing of the head is new.
    """
    if how == "default":
        return
    parameters = dict(model.named_parameters())
    names = [name for name in new if name in parameters]
    matrices = [parameters[name] for name in names if parameters[name].dim() >= 2]
    if not matrices:
        message = f"is {how}, but the whole head came from the checkpoint, so nothing is initialized; set it to default"
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


def require_trained(model: nn.Module, reinitialized: Iterable[str], trained: Container[str]) -> None:
    """A reinitialized layer that never trains would only add noise.

    Raises:
        ModelError: a matrix that was reinitialized stays frozen for the whole run.
    """
    parameters = dict(model.named_parameters())
    matrices = [name for name in reinitialized if name in parameters and parameters[name].dim() >= 2]
    if frozen := [name for name in matrices if name not in trained]:
        message = (
            f"reinitializes {frozen[0]}{' and others' if frozen[1:] else ''}, which stay frozen for the whole run; let "
            "these layers train (freezing=none, without an adapter), or set it to 0"
        )
        raise ModelError(Problem(KEY, message))


def _initialize(model: PreTrainedModel, names: Iterable[str]) -> None:
    """Lets transformers initialise some parameters: it skips what is marked as initialised."""
    chosen = set(names)
    parameters = dict(model.named_parameters())
    inside = {name.rpartition(".")[0] for name in chosen}
    marked: list[Any] = [
        module
        for name, module in model.named_modules()
        if not any(owner == name or not name or owner.startswith(f"{name}.") for owner in inside)
    ]
    marked += [tensor for name, tensor in parameters.items() if name not in chosen]
    marked += [tensor for name, tensor in model.named_buffers() if name.rpartition(".")[0] not in inside]
    every: list[Any] = [*model.modules(), *model.parameters(), *model.buffers()]
    before = [vars(entry).get(MARK) for entry in every]
    try:
        for entry in every:
            setattr(entry, MARK, False)
        for entry in marked:
            setattr(entry, MARK, True)
        with torch.no_grad():
            for name in chosen:
                parameters[name].fill_(float("nan"))
        model.initialize_weights()
    finally:
        for entry, was in zip(every, before, strict=True):
            if was is None:
                delattr(entry, MARK)
            else:
                setattr(entry, MARK, was)
    if left := sorted(name for name in chosen if bool(parameters[name].isnan().any())):
        message = f"{type(model).__name__} has no initialisation of its own for {', '.join(left[:5])}; set it to 0"
        raise ModelError(Problem(KEY, message))


@contextmanager
def _seeded(seed: int, what: str) -> Iterator[None]:
    """Random numbers that depend on the seed and a name only; the global state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(zlib.crc32(f"{seed} {what}".encode()))
        yield
