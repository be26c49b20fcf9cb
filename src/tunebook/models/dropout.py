"""Sets an architecture's dropout rates by its own names; knows nothing of weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from transformers import AutoModel, PreTrainedConfig

from tunebook.errors import ModelError, Problem, did_you_mean
from tunebook.models.classifier import BackboneClassifierConfig
from tunebook.models.settings import backbone_config, without_weights

HEAD = "head_dropout"
"""The dropout of a head of ours."""
TRIED = (0.125, 0.25)


def set_dropout(
    config: PreTrainedConfig, shares: Mapping[str, float], auto: Any, own_head: bool = False
) -> float | None:
    """Changes dropout rates, 0 to 1, in a configuration; of a model of ours in that of its backbone.

    With `own_head` a head of ours will be built, so that `head_dropout` is a name too.

    Returns:
        The rate of a head that is built later; None: not stated.

    Raises:
        ModelError: the architecture has no such dropout, or no part of the model uses it.
    """
    if not shares:
        return None
    ours = isinstance(config, BackboneClassifierConfig)
    backbone = backbone_config(config)
    maker = AutoModel if ours or own_head else auto
    known = dropouts(backbone)
    if ours or own_head:
        known[HEAD] = config.head_dropout if ours else None
    problems = {name: _unknown(name, backbone, known) for name in shares if name not in known}
    idle = [name for name in shares if name in known and name != HEAD and not _has_effect(backbone, name, maker)]
    if idle:
        effective = ", ".join(sorted(name for name in known if name == HEAD or _has_effect(backbone, name, maker)))
        message = f"no part of this model uses this rate of {backbone.model_type}; use {effective}"
        problems |= dict.fromkeys(idle, message)
    if problems:
        raise ModelError([Problem(f"model.dropout.{name}", message) for name, message in problems.items()])
    for name, share in shares.items():
        if name != HEAD:
            setattr(backbone, name, share)
        elif ours:
            config.head_dropout = share
    return shares.get(HEAD)


def dropouts(config: PreTrainedConfig) -> dict[str, float | None]:
    """The dropout rates of an architecture by their settings; None: the value of another one is used."""
    return {
        name: value
        for name, value in config.to_dict().items()
        if "drop" in name and (value is None or (isinstance(value, float | int) and not isinstance(value, bool)))
    }


def _has_effect(config: PreTrainedConfig, name: str, auto: Any) -> bool:
    """Whether a rate changes the model: some configurations have rates of heads for other tasks."""
    built = []
    for share in TRIED:
        changed = copy.deepcopy(config)
        try:
            setattr(changed, name, share)
        except StrictDataclassError as error:
            raise ModelError(Problem(f"model.dropout.{name}", f"refused by {config.model_type}: {error}")) from error
        numbers = [
            (place, key, value)
            for place, module in without_weights(auto, changed).named_modules()
            for key, value in vars(module).items()
            if isinstance(value, float)
        ]
        built.append(numbers)
    return built[0] != built[1]


def _unknown(name: str, config: PreTrainedConfig, known: Mapping[str, float | None]) -> str:
    if not known:
        return f"{config.model_type} has no dropout"
    shown = ", ".join(f"{own}={'null' if share is None else f'{share:g}'}" for own, share in sorted(known.items()))
    null = " (null: the value of another rate)" if None in known.values() else ""
    hint = did_you_mean(name, known)
    hint = hint + " " if hint.startswith("did you mean") else ""
    if name == HEAD:
        hint = "it is of a head of ours, which model.pooling or model.head_widths make. "
    elif hasattr(config, name):
        hint = "that is no dropout rate. "
    return f"{config.model_type} has no such dropout; {hint}It has {shown}{null}"
