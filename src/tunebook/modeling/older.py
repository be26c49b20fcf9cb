"""Puts the head of a finished run on the trunk of the model that is in training; knows no data and no Trainer.

The trunk is shared, module for module: the older head reads what this run's trunk gives now, and gradients go into it.
The head itself is the older run's, frozen and in evaluation mode.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from torch import Size, nn
from transformers import PreTrainedModel

from tunebook.config.model_groups import ModelConfig
from tunebook.errors import ModelError, Problem
from tunebook.modeling.adapter_names import plain_name
from tunebook.modeling.load import load_model

SHOWN = 3
_UNDER = ".base_layer."
"""In the names of weights that have an adapter beside them."""


def under_older_head(
    model: PreTrainedModel, folder: Path, auto_class: str, labels: list[str], problem_type: str | None, key: str
) -> PreTrainedModel:
    """A model whose trunk is `model`'s own and whose head is that of the model in a folder.

    Its forward trains or evaluates the shared trunk; its mode (`train()`, `eval()`) is the trunk's too.

    Args:
        model: in training; may have an adapter in its layers.
        folder: of a finished model.
        auto_class: name of the transformers class of the older task.
        labels: of the older task, in the order of ids.
        problem_type: of the older task.
        key: that names the older run, for messages.

    Raises:
        ModelError: the folder has no whole model, or its trunk is of another architecture or size.
    """
    trunk = _trunk(model)
    if (folder / "adapter_config.json").is_file():
        message = f"{folder} holds an adapter alone; run it with adapter.save=both, so that it holds merged weights"
        raise ModelError(Problem(key, message))
    wanted = ModelConfig(name_or_path=str(folder.resolve()), dtype=_dtype(model))
    try:
        loaded = load_model(wanted, auto_class, labels, problem_type)
    except ModelError as error:
        raise ModelError([Problem(key, f"its model cannot be used: {one.message}") for one in error.problems]) from None
    older = loaded.model
    if loaded.head_report.new:
        message = f"its model lacks parts of its head: {', '.join(loaded.head_report.new[:SHOWN])}"
        raise ModelError(Problem(key, message))
    if different := differences(_trunk(older), trunk):
        message = f"its trunk is not of the form of this run's: {different}; start from its model, with "
        message += f"model=auto model.name_or_path={folder}"
        raise ModelError(Problem(key, message))
    older.requires_grad_(False)
    older.eval()
    cast(nn.Module, older).to(model.device)
    _share(older, trunk)
    return older


def differences(older: nn.Module, ours: nn.Module) -> str:
    """What keeps two trunks from standing under one head, in words; empty if nothing does.

    A whole part that one of them alone has, such as a pooler behind the layers, is no difference.

    Args:
        older: without an adapter.
        ours: with its adapter's weights beside its own, or without.
    """
    if type(older) is not type(ours):
        return f"a {type(older).__name__}, here {type(ours).__name__}"
    theirs, own = _shapes(older), _shapes(ours)
    parts = {name.split(".")[0] for name in own} & {name.split(".")[0] for name in theirs}
    only = {"it alone has": theirs.keys() - own.keys(), "this run's alone has": own.keys() - theirs.keys()}
    only = {words: {name for name in names if name.split(".")[0] in parts} for words, names in only.items()}
    told = [f"{words} {_some(sorted(names))}" for words, names in only.items() if names]
    other = sorted(name for name in theirs.keys() & own.keys() if theirs[name] != own[name])
    if other:
        told.append(f"{_some([f'{name} is {tuple(theirs[name])}, here {tuple(own[name])}' for name in other])}")
    return "; ".join(told)


def _share(older: PreTrainedModel, trunk: nn.Module) -> None:
    """Puts a trunk under an older head; a part that it lacks (a pooler) stays the older model's, frozen."""
    theirs = _trunk(older)
    if dict(theirs.named_children()).keys() <= dict(trunk.named_children()).keys():
        setattr(older, older.base_model_prefix, trunk)
        return
    for name, part in [*trunk.named_children(), *trunk.named_parameters(recurse=False)]:
        setattr(theirs, name, part)


def _shapes(trunk: nn.Module) -> dict[str, Size]:
    """By the names without an adapter; what an adapter has beside a weight is left out."""
    named = trunk.state_dict()
    adapted = tuple(f"{name.split(_UNDER)[0]}." for name in named if _UNDER in name)
    return {
        plain_name(name): value.shape
        for name, value in named.items()
        if _UNDER in name or not name.startswith(adapted or "\0")
    }


def _trunk(model: PreTrainedModel) -> nn.Module:
    trunk = model.base_model
    if trunk is model:
        message = f"{type(model).__name__} has no trunk apart from its head, which two tasks could share"
        raise ModelError(Problem("model", message))
    return trunk


def _dtype(model: PreTrainedModel) -> Any:
    return str(model.dtype).removeprefix("torch.")


def _some(names: list[str]) -> str:
    more = f", … ({len(names)} in all)" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
