"""Where groups and recipes are: in the checkout, inside an installed wheel, or in the user's folders."""

from __future__ import annotations

import os
from pathlib import Path

from tunebook.errors import ConfigurationError, Problem, did_you_mean

RECIPE_FOLDERS = "TUNEBOOK_RECIPES"


def conf_folder() -> Path:
    """The folder of config.yaml and the groups."""
    return _project_folder("conf")


def recipe_folders() -> list[Path]:
    """Folders that `+recipe=NAME` looks in: those named by TUNEBOOK_RECIPES first, then the shipped ones."""
    named = [Path(part).expanduser() for part in os.environ.get(RECIPE_FOLDERS, "").split(os.pathsep) if part]
    missing = [folder for folder in named if not folder.is_dir()]
    if missing:
        raise ConfigurationError(
            [Problem(str(folder), "no such folder; fix or unset the variable", RECIPE_FOLDERS) for folder in missing]
        )
    return [*named, _project_folder("recipes")]


def recipe_names() -> list[str]:
    """Every recipe that can be named, sorted."""
    return sorted(
        {
            str(file.relative_to(folder).with_suffix(""))
            for folder in recipe_folders()
            for file in folder.rglob("*.yaml")
        }
    )


def group_options(group: str) -> list[str]:
    """The options of a group: the YAML files in its folder."""
    return sorted(file.stem for file in (conf_folder() / group).glob("*.yaml"))


def groups() -> list[str]:
    """The groups of the configuration: the folders under conf/."""
    return sorted(folder.name for folder in conf_folder().iterdir() if folder.is_dir())


def is_recipe_path(name: str) -> bool:
    """Whether a recipe is given as a file (`./mine.yaml`, `../x.yaml`, `/…`, `~/…`) and not by its name."""
    return name.startswith(("./", "../", "/", "~/"))


def find_recipe(name: str) -> Path:
    """The file of a recipe given by name or by path.

    Raises:
        ConfigurationError: no such recipe, or a name that climbs out of the recipe folders.
    """
    key = f"+recipe={name}"
    if is_recipe_path(name):
        path = Path(name).expanduser()
        path = path if path.suffix else path.with_suffix(".yaml")
        if not path.is_file():
            near = [str(file) for file in path.parent.glob("*.yaml")]
            hint = did_you_mean(str(path), near) if near else f"{path.parent} holds no recipes"
            hint = hint if path.parent.is_dir() else f"there is no folder {path.parent}"
            raise ConfigurationError(
                Problem(key, f"no such file; {hint.replace('allowed:', 'there is:')}", "command line")
            )
        return path
    stem = name.removesuffix(".yaml")
    if ".." in Path(stem).parts:
        message = "a recipe's name cannot leave the recipe folders; for a file write its path, +recipe=./…yaml"
        raise ConfigurationError(Problem(key, message, "command line"))
    for folder in recipe_folders():
        candidate = folder / f"{stem}.yaml"
        if candidate.is_file():
            if not candidate.resolve().is_relative_to(folder.resolve()):
                message = f"is a link that leaves {folder}; for a file write its path, +recipe=./…yaml"
                raise ConfigurationError(Problem(key, message, "command line"))
            return candidate
    message = f"no such recipe; {did_you_mean(stem, recipe_names())}"
    if stem and Path(stem).with_suffix(".yaml").is_file():
        message = f"no such recipe in the recipe folders; for the file here write +recipe=./{name}"
    raise ConfigurationError(Problem(key, message, "command line"))


def _project_folder(name: str) -> Path:
    packaged = Path(__file__).parents[1] / name
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / name
