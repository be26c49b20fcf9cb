"""Reads the arguments of the command as Hydra does, reports every mistake in them, and makes them plain.

A plain `key=value` is turned into Hydra's forced form `++key=value`, so that any key that the schema knows
can be set although conf/ does not have it; the schema, not Hydra, decides which keys there are.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from tunebook.config import folders
from tunebook.config.places import COMMAND_LINE
from tunebook.errors import ConfigurationError, Problem, did_you_mean

RECIPE = "recipe"

REPLACED = {"dataset.labels"}
"""Keys that take a list or a mapping; OmegaConf would merge a mapping into the list that is there, and fails."""


@dataclass(frozen=True)
class Arguments:
    """The overrides of one command, checked and made plain.

    Args:
        plain: the overrides in the form that is handed to Hydra.
        keys: dotted keys (not groups) that they set.
        recipe: the name or path after `+recipe=`, None without one, or while it is swept over.
        problems: overrides that cannot be used; they are not among `plain`.
    """

    plain: tuple[str, ...]
    keys: tuple[str, ...]
    recipe: str | None
    problems: tuple[Problem, ...] = ()

    def without_sweeps(self) -> Arguments:
        """With a problem for each key that is given several values, for a command that runs once."""
        swept = [text for text in self.plain if is_swept(text)]
        if not swept:
            return self
        single = tuple(text for text in self.plain if text not in swept)
        message = "has several values: add --multirun (-m) to run each, or put a text with commas in quotes"
        problems = [Problem(text.lstrip("+"), message, COMMAND_LINE) for text in swept]
        return replace(self, plain=single, problems=(*self.problems, *problems))


def read(arguments: list[str]) -> Arguments:
    """Check the arguments of a command; what cannot be used is in `problems`."""
    parser = OverridesParser.create()
    problems: list[Problem] = []
    plain, keys, recipe = [], [], None
    for argument in arguments:
        try:
            override = parser.parse_override(argument)
        except HydraException:
            problems.append(Problem(argument, _unreadable(argument), COMMAND_LINE))
            continue
        if wrong := _problems(argument, override):
            problems += wrong
            continue
        if _is_group(override):
            plain.append(argument)
            if override.key_or_group == RECIPE and not override.is_sweep_override():
                recipe = str(override.value())
        else:
            if override.key_or_group in REPLACED and isinstance(override.value(), dict):
                plain.append(f"++{override.key_or_group}=null")
            plain.append(_forced(argument, override))
            keys.append(override.key_or_group)
    return Arguments(tuple(plain), tuple(keys), recipe, tuple(problems))


def combinations(plain: tuple[str, ...]) -> Iterator[list[str]]:
    """Every combination of swept values (`a=1,2`), each as overrides without a sweep; one without sweeps."""
    parser = OverridesParser.create()
    choices = []
    for text in plain:
        override = parser.parse_override(text)
        swept = override.is_sweep_override()
        head = text.split("=", 1)[0]
        choices.append([f"{head}={value}" for value in override.sweep_string_iterator()] if swept else [text])
    for combination in itertools.product(*choices):
        yield list(combination)


def is_swept(argument: str) -> bool:
    """Whether an override sweeps over several values."""
    return OverridesParser.create().parse_override(argument).is_sweep_override()


def _is_group(override: Override) -> bool:
    return override.key_or_group in {*folders.groups(), RECIPE} or "/" in override.key_or_group


def _forced(argument: str, override: Override) -> str:
    if override.is_delete() or override.key_or_group.split(".")[0] == "hydra":
        return argument
    return "++" + argument.lstrip("+")


def _unreadable(argument: str) -> str:
    if "=" not in argument:
        if argument.lstrip("+") in folders.recipe_names():
            return f"cannot be read; write +recipe={argument.lstrip('+')}"
        return "cannot be read; write key=value, for instance hyperparameters.learning_rate=1e-4"
    key = argument.split("=", 1)[0]
    return f"cannot be read; put a value with spaces, commas or braces in quotes: \"{key}='…'\""


def _problems(argument: str, override: Override) -> list[Problem]:
    group = override.key_or_group
    if not _is_group(override) or "/" in group:
        return []
    if override.is_delete():
        message = f"a group cannot be left out; choose an option, {group}=NAME"
        return [Problem(argument, message, COMMAND_LINE)]
    values = list(override.sweep_string_iterator()) if override.is_sweep_override() else [str(override.value())]
    if group == RECIPE:
        if not override.is_add():  # which ++ is not either
            return [Problem(argument, f"write +recipe={values[0]}", COMMAND_LINE)]
        return [problem for value in values for problem in _recipe_problems(value.strip("'\""))]
    if isinstance(override.value(), dict):
        message = f"is a group: name an option, {group}=NAME, or set its keys, {group}.key=value"
        return [Problem(argument, message, COMMAND_LINE)]
    if override.is_add() or override.is_force_add():
        return [Problem(argument, f"is in the defaults already: write {argument.lstrip('+')}", COMMAND_LINE)]
    options = folders.group_options(group)
    unknown = [value for value in values if value not in options]
    return [
        Problem(f"{group}={value}", f"no such option; {did_you_mean(value, options)}", COMMAND_LINE)
        for value in unknown
    ]


def _recipe_problems(value: str) -> list[Problem]:
    try:
        folders.find_recipe(value)
    except ConfigurationError as error:
        return error.problems
    return []
