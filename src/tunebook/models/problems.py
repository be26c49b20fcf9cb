"""What the group `model` cannot ask for together, from the configuration alone; knows no architecture."""

from __future__ import annotations

import difflib
from pathlib import Path

from tunebook.config.schema import Config
from tunebook.errors import Problem, listed


def problems(config: Config) -> list[Problem]:
    """Keys of `model` that contradict each other, and a folder that is not there."""
    model = config.model
    if model is None:
        return []
    name = model.name_or_path or ""
    problems = [missing_folder(name)] if is_path(name) and not Path(name).expanduser().is_dir() else []
    if model.name_or_path is None and model.config is None:
        message = "must be given: a Hub id or a folder; to train from scratch give model.config instead"
        problems.append(Problem("model.name_or_path", message))
    if model.config is not None:
        problems += _from_scratch(config)
    return problems


def is_path(name: str) -> bool:
    """Whether `name_or_path` is a folder and not a Hub id."""
    return name.startswith((".", "/", "~")) or Path(name).is_dir()


def _from_scratch(config: Config) -> list[Problem]:
    model = config.model
    settings = model.config or {}
    problems: list[Problem] = []
    if model.name_or_path is not None:
        message = f"starts from scratch, but model.name_or_path={model.name_or_path} is set; add model=auto in front"
        problems.append(Problem("model.config", message))
    if "model_type" not in settings:
        problems.append(Problem("model.config", "must say model_type, such as resnet or vit"))
    for key in (key for key in settings if key in {"_target_", "trust_remote_code", "auto_map"}):
        problems.append(Problem(f"model.config.{key}", "would run code from elsewhere; take it out"))
    if model.drop_layers:
        message = "takes layers out of a checkpoint; a model from scratch gets its number of layers in model.config"
        problems.append(Problem("model.drop_layers", message))
    if model.reinit_layers:
        message = "of a model from scratch every layer is initialized anyway; set it to 0"
        problems.append(Problem("model.reinit_layers", message))
    for name in (name for name in model.dropout if name in settings):
        message = f"is set twice: model.config.{name} too; take one of them out"
        problems.append(Problem(f"model.dropout.{name}", message))
    return problems


def missing_folder(name: str) -> Problem:
    """A path where there is no folder, with the nearest one or those that are there."""
    path = Path(name).expanduser()
    parent = path.parent
    folders = sorted(entry.name for entry in parent.iterdir() if entry.is_dir()) if parent.is_dir() else []
    hint = f"{parent} has no folder" if parent.is_dir() else f"{parent} does not exist either"
    if folders:
        near = difflib.get_close_matches(path.name, folders, n=1)
        hint = f"did you mean {parent / near[0]}?" if near else f"{parent} has: {listed(folders, 20)}"
    return Problem("model.name_or_path", f"there is no folder {name}; {hint}")
