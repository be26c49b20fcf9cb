"""Chooses the modules of a model that get an adapter: the named or usual ones, where the model would train."""

from __future__ import annotations

from collections.abc import Container, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from tunebook.errors import ModelError, Problem, did_you_mean
from tunebook.models.adapters.base import named
from tunebook.models.depth import Depth, backbone_settings

if TYPE_CHECKING:
    from tunebook.config.model_groups import AdapterConfig

KEY = "adapter.target_modules"


def targets_of(
    model: PreTrainedModel,
    depth: Depth,
    method: ModuleType,
    adapter: AdapterConfig,
    ever: Container[str],
    saved: Sequence[str],
) -> dict[str, nn.Module]:
    """The modules that get an adapter, by their dotted names.

    Raises:
        ModelError: a name of the recipe is no module that can have an adapter, or no module that can have one
            trains.
    """
    able = _able(model, depth, saved)
    wanted: list[str] | None = adapter.options.target_modules  # type: ignore[attr-defined]
    if wanted is None:
        linear = [name for name, module in able.items() if not isinstance(module, nn.Conv2d)]
        usual = method.usual_targets(backbone_settings(model).model_type) or []
        chosen = named(able, usual) or linear or list(able)
    else:
        _check(wanted, able, model)
        chosen = named(able, wanted)
    targets = {name: able[name] for name in chosen if f"{name}.weight" in ever}
    if targets:
        return targets
    parts = ", ".join(dict.fromkeys(name.rpartition(".")[2] for name in chosen))
    message = (
        f"{adapter.method} has no weights to adapt: it would be in {parts or 'linear layers'}, and the freezing policy "
        "trains none of them; let it train layers (freezing=none), or set adapter=none"
    )
    raise ModelError(Problem("adapter.method", message))


def _able(model: PreTrainedModel, depth: Depth, saved: Sequence[str]) -> dict[str, nn.Module]:
    """The modules of the layers (of the backbone, if it has none) that every method can adapt."""
    groups = depth.layers or (depth.embeddings,)
    inside = {name for group in groups for name in group.parameter_names}
    return {
        name: module
        for name, module in model.named_modules()
        if f"{name}.weight" in inside
        and (isinstance(module, nn.Linear | Conv1D) or (isinstance(module, nn.Conv2d) and module.groups == 1))
        and not any(name == whole or name.startswith(f"{whole}.") for whole in saved)
    }


def _check(wanted: Sequence[str], able: dict[str, nn.Module], model: PreTrainedModel) -> None:
    problems = []
    modules = [name for name, _ in model.named_modules()]
    for name in wanted:
        if not named(able, [name]):
            depth = name.count(".") + 1
            tails = {".".join(target.split(".")[-depth:]) for target in able}
            what = "can have no adapter" if named(modules, [name]) else "is no module"
            message = f"{name!r} {what} of {type(model.base_model).__name__}'s layers; {did_you_mean(name, tails)}"
            problems.append(Problem(KEY, message))
    if problems:
        raise ModelError(problems)
