"""Composes a configuration from groups, a recipe and overrides, into plain containers.

The one place where Hydra's DictConfig becomes Python's dict; knows nothing of what the keys mean.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException

from tunebook.config import folders, overrides, recipe_file, recipe_source
from tunebook.config.places import Places
from tunebook.errors import ConfigurationError, Problem

VERSION_BASE = "1.3"


@dataclass(frozen=True)
class Composed:
    """A composed, resolved and not yet checked configuration.

    Args:
        content: plain nested containers.
        places: where its keys are set.
        problems: with the arguments; the content was composed without those.
    """

    content: dict[str, Any]
    places: Places
    problems: tuple[Problem, ...] = ()


def compose(arguments: list[str]) -> Composed:
    """Compose one configuration from command-line arguments (`["+recipe=bert_sentiment", "run.name=x"]`).

    Raises:
        ConfigurationError: a recipe that cannot be used, a broken reference.
    """
    read = overrides.read(arguments).without_sweeps()
    return compose_plain(read, list(read.plain))


def compose_plain(read: overrides.Arguments, plain: list[str]) -> Composed:
    """Compose from overrides that `overrides.read` has checked."""
    recipe_source.register()
    if read.recipe is not None:
        problems = recipe_file.problems(folders.find_recipe(read.recipe))
        if problems:
            raise ConfigurationError([*read.problems, *problems])
    with initialize_config_dir(str(folders.conf_folder().resolve()), version_base=VERSION_BASE):
        try:
            composed = hydra_compose("config", overrides=plain, return_hydra_config=True)
        except ConfigurationError:
            raise
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigurationError([*read.problems, _problem(error, read, {})]) from error
    choices = {key: str(value) for key, value in composed.hydra.runtime.choices.items() if value is not None}
    return plainly(composed, choices, read)


def plainly(composed: DictConfig, choices: dict[str, str], read: overrides.Arguments) -> Composed:
    """A composed DictConfig as plain containers, with the recipe's name filled in."""
    recipe = choices.get(overrides.RECIPE)
    try:
        groups = {key: composed._get_node(key) for key in composed if key != "hydra"}
        plain: Any = OmegaConf.to_container(OmegaConf.create(groups), resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigurationError([*read.problems, _problem(error, read, choices)]) from error
    content = {str(key): value for key, value in dict(plain).items()}
    run = content.setdefault("run", {})
    if isinstance(run, dict) and run.get("recipe") is None:
        run["recipe"] = _recipe_name(recipe)
    path = folders.find_recipe(recipe) if recipe else None
    return Composed(content, Places(read.keys, path, choices), read.problems)


def _recipe_name(recipe: str | None) -> str:
    if recipe is None:
        return "default"
    name = Path(recipe).stem if folders.is_recipe_path(recipe) else recipe.removesuffix(".yaml")
    return re.sub(r"^\W|[^\w.+=/-]+", "-", name).lstrip("-") or "recipe"


def _problem(error: Exception, read: overrides.Arguments, choices: dict[str, str]) -> Problem:
    """An error of Hydra or OmegaConf as a problem, with the key and its place where the error has them."""
    # Hydra adds advice ('to append use +key') that is wrong here, from the second line on.
    message = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    key = str(getattr(error, "full_key", None) or "")
    path = folders.find_recipe(read.recipe) if read.recipe else None
    place = Places(read.keys, path, choices).of(key) if key else ""
    if isinstance(error, InterpolationKeyError):
        missing = (re.findall(r"'([^']*)'", message) or [""])[0]
        message = f"refers to {missing}, which is not there; write the value, or a key that is"
    return Problem(key, message, place)
