"""Puts the head of a finished run on the backbone of the model that is in training; knows no data and no Trainer.

The backbone is shared, module for module, so that gradients reach it; the previous head is frozen and in evaluation
mode.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from torch import Size, nn
from transformers import PreTrainedModel

from tunebook.config.model_groups import ModelConfig
from tunebook.errors import ModelError, Problem, listed
from tunebook.models.adaptation.parameter_names import plain_name
from tunebook.models.load import load_model

SHOWN = 3
_UNDER = ".base_layer."
"""In the names of weights under an adapter."""


def under_previous_head(
    model: PreTrainedModel, folder: Path, auto_class: str, labels: list[str], problem_type: str | None, key: str
) -> PreTrainedModel:
    """A model whose backbone is `model`'s own and whose head is that of the model in a folder.

    Its forward trains or evaluates the shared backbone; its mode (`train()`, `eval()`) is the backbone's too.

    Args:
        model: in training; may have an adapter in its layers.
        folder: of a finished model.
        auto_class: name of the transformers class of the previous task.
        labels: of the previous task, in the order of ids.
        problem_type: of the previous task.
        key: that names the previous run, for messages.

    Raises:
        ModelError: the folder has no whole model, or its backbone is of another architecture or size.
    """
    backbone = _backbone(model)
    if (folder / "adapter_config.json").is_file():
        message = f"{folder} holds an adapter alone; run it with adapter.save=both, so that it holds merged weights"
        raise ModelError(Problem(key, message))
    dtype: Any = str(model.dtype).removeprefix("torch.")
    wanted = ModelConfig(name_or_path=str(folder.resolve()), dtype=dtype)
    try:
        loaded = load_model(wanted, auto_class, labels, problem_type)
    except ModelError as error:
        raise ModelError([Problem(key, f"its model cannot be used: {one.message}") for one in error.problems]) from None
    previous = loaded.model
    if loaded.head_report.new:
        message = f"its model lacks parts of its head: {', '.join(loaded.head_report.new[:SHOWN])}"
        raise ModelError(Problem(key, message))
    if different := differences(_backbone(previous), backbone):
        message = f"its backbone differs from this run's: {different}; start from its model, with "
        message += f"model=auto model.name_or_path={folder}"
        raise ModelError(Problem(key, message))
    previous.requires_grad_(False)
    previous.eval()
    cast(nn.Module, previous).to(model.device)
    _share(previous, backbone)
    return previous


def differences(previous: nn.Module, ours: nn.Module) -> str:
    """Why two backbones cannot have the same head, in words; empty: they can.

    A whole part that only one of them has, such as a pooler after the layers, is no difference.
    """
    if type(previous) is not type(ours):
        return f"a {type(previous).__name__}, here {type(ours).__name__}"
    theirs, own = _shapes(previous), _shapes(ours)
    shared = {name.split(".")[0] for name in own} & {name.split(".")[0] for name in theirs}
    only = {"it alone has": theirs.keys() - own.keys(), "this run's alone has": own.keys() - theirs.keys()}
    only = {words: {name for name in names if name.split(".")[0] in shared} for words, names in only.items()}
    parts = [f"{words} {listed(sorted(names), SHOWN)}" for words, names in only.items() if names]
    other = sorted(name for name in theirs.keys() & own.keys() if theirs[name] != own[name])
    if other:
        shapes = [f"{name} is {tuple(theirs[name])}, here {tuple(own[name])}" for name in other]
        parts.append(listed(shapes, SHOWN))
    return "; ".join(parts)


def _share(previous: PreTrainedModel, backbone: nn.Module) -> None:
    """Puts a backbone under a previous head; a part that it lacks (a pooler) stays the previous model's, frozen."""
    theirs = _backbone(previous)
    if dict(theirs.named_children()).keys() <= dict(backbone.named_children()).keys():
        setattr(previous, previous.base_model_prefix, backbone)
        return
    for name, part in [*backbone.named_children(), *backbone.named_parameters(recurse=False)]:
        setattr(theirs, name, part)


def _shapes(backbone: nn.Module) -> dict[str, Size]:
    """By the names without an adapter; an adapter's own weights are left out."""
    named = backbone.state_dict()
    adapted = tuple(f"{name.split(_UNDER)[0]}." for name in named if _UNDER in name)
    return {
        plain_name(name): value.shape
        for name, value in named.items()
        if _UNDER in name or not name.startswith(adapted or "\0")
    }


def _backbone(model: PreTrainedModel) -> nn.Module:
    backbone = model.base_model
    if backbone is model:
        message = f"{type(model).__name__} has no backbone apart from its head, which two tasks could share"
        raise ModelError(Problem("model", message))
    return backbone
