"""What the group `model` cannot ask for together, from the configuration alone; knows no architecture."""

from __future__ import annotations

from pathlib import Path

from tunebook.config.schema import Config
from tunebook.errors import Problem, did_you_mean


def problems(config: Config) -> list[Problem]:
    """Keys of `model` that contradict each other, and a folder that is not there."""
    model = config.model
    if model is None:
        return []
    problems = _folder(model.name_or_path or "")
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


def _folder(name: str) -> list[Problem]:
    path = Path(name).expanduser()
    if not is_path(name) or path.is_dir():
        return []
    near = [entry.name for entry in path.parent.iterdir() if entry.is_dir()] if path.parent.is_dir() else []
    hint = did_you_mean(path.name, near).replace("allowed:", f"{path.parent} has:")
    return [Problem("model.name_or_path", f"there is no folder {name}" + (f"; {hint}" if near else ""))]
