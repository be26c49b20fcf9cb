"""Reads what a finished run records of its task and its data, so that another run can replay or score it.

Knows the run's folder (recipe.yaml, run.json, model/) and typed groups; nothing of torch, models or rows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tunebook.config.check import typed_group
from tunebook.config.places import Places
from tunebook.config.recipe_file import shown
from tunebook.config.schema import Config
from tunebook.errors import ConfigurationError, Problem, did_you_mean

GROUPS = ("task", "dataset", "cleaning", "augmentation", "loss", "hyperparameters")
"""What another run needs of it; its model is in the folder, and how it was trained no longer matters."""


@dataclass(frozen=True)
class PreviousRun:
    """A finished run, as its folder records it.

    Args:
        folder: the folder, as the user wrote it.
        path: of the folder.
        config: its groups `GROUPS`; the others are None.
        fingerprints: of its rows, by split.
        cwd: where relative paths in its recipe start.
        recipe: name of its recipe.
        name: of the run.
    """

    folder: str
    path: Path
    config: Config
    fingerprints: dict[str, str]
    cwd: Path
    recipe: str
    name: str

    @property
    def model(self) -> Path:
        """The folder of its finished model and processor."""
        return self.path / "model"

    @property
    def title(self) -> str:
        """Recipe and run, for tables."""
        return f"{self.recipe}/{self.name}"


def read(folder: str, key: str) -> PreviousRun:
    """The run in a folder.

    Args:
        folder: the folder, as the user wrote it.
        key: that names it, for messages.

    Raises:
        ConfigurationError: the folder is not one of a finished run, or its recipe cannot be used here.
    """
    path = Path(folder).expanduser()
    if wrong := _not_a_run(path, folder):
        raise ConfigurationError(Problem(key, wrong))
    record = json.loads((path / "run.json").read_text(encoding="utf-8"))
    if record.get("status") != "finished":
        message = f"the run in {folder} has not finished (it is {record.get('status')}); repeat its command, then this"
        raise ConfigurationError(Problem(key, message))
    parts, problems = _groups(path / "recipe.yaml")
    if problems:
        place = shown(path / "recipe.yaml")
        raise ConfigurationError([Problem(key, f"{p.key} in its recipe {p.message}", place) for p in problems])
    cwd = Path(record.get("working_folder", "."))
    run = record.get("configuration", {}).get("run", {})
    return PreviousRun(
        folder=folder,
        path=path,
        config=Config.model_construct(**parts),
        fingerprints=record.get("data", {}).get("fingerprints", {}),
        cwd=cwd if cwd.is_dir() else Path.cwd(),
        recipe=run.get("recipe", path.parent.name),
        name=path.name,
    )


def named_in(config: Config) -> list[tuple[str, str]]:
    """Every previous run that a configuration names: its key and its folder. Groups that are None name none."""
    named = [("evaluation.retention", folder) for folder in (config.evaluation.retention if config.evaluation else [])]
    replay = getattr(config.regularization, "replay", None)
    return named + ([("regularization.replay.run", replay.run)] if replay else [])


def _not_a_run(path: Path, folder: str) -> str:
    """What is wrong with a folder that is not a finished run's; empty if nothing is."""
    if not path.is_dir():
        near = _folders(path.parent) if path.parent.is_dir() else []
        hint = did_you_mean(path.name, near).replace("allowed:", f"{path.parent} has:")
        return f"there is no folder {folder}" + (f"; {hint}" if near else "")
    if (path / "config.json").is_file() and (path.parent / "recipe.yaml").is_file():
        return f"{folder} is the model of a run; name the run's own folder, {path.parent}"
    lacking = [name for name in ("run.json", "recipe.yaml", "model") if not (path / name).exists()]
    if "run.json" in lacking:
        runs = [name for name in _folders(path) if (path / name / "run.json").is_file()]
        inside = f"; it holds runs: {', '.join(runs[:8])}" if runs else ""
        return f"{folder} is not the folder of a finished run, which holds run.json, recipe.yaml and model{inside}"
    if lacking and json.loads((path / "run.json").read_text(encoding="utf-8")).get("status") == "finished":
        return f"{folder} lacks {' and '.join(lacking)}, which a finished run has"
    return ""


def _folders(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _groups(recipe: Path) -> tuple[dict[str, Any], list[Problem]]:
    """The typed groups of a frozen recipe, which has every setting, and what is wrong with them."""
    try:
        content = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return {}, [Problem("it", f"cannot be read as YAML: {str(error).splitlines()[0]}")]
    parts: dict[str, Any] = {}
    problems: list[Problem] = []
    for group in GROUPS:
        given = (content or {}).get(group)
        if not isinstance(given, dict):
            problems.append(Problem(group, "is missing; was the file edited?"))
            continue
        parts[group], wrong = typed_group(group, given, Places())
        problems += wrong
    return parts, problems
