"""Recipes by hand: python scripts/recipes.py list | show NAME | check FILE… | new NAME --from BASE | schema"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

import yaml

from tunebook.check import check
from tunebook.config import folders, json_schema, recipe_file
from tunebook.config.command import telling_mistakes
from tunebook.config.compose import compose
from tunebook.config.schema import Config
from tunebook.errors import ConfigurationError, Problem

GROUPS = ("task", "model", "dataset")
SCHEMA = folders.conf_folder() / "recipe.schema.json"


def needs_network(config: Config) -> bool:
    """Whether a first run has to fetch the model or the data."""
    model = config.model
    carried = model.package is not None and importlib.util.find_spec(model.package.module) is not None
    local = model.config is not None or carried or Path(model.name_or_path or "").is_dir()
    return not local or config.dataset.source == "hub"


def list_recipes() -> None:
    """Each recipe's task, model, dataset and whether it needs the network, with its purpose below."""
    rows = [["recipe", *GROUPS, "network"]]
    purposes = [""]
    for name in folders.recipe_names():
        path = folders.find_recipe(name)
        try:
            choices = compose([f"+recipe={name}"]).places.choices or {}
        except ConfigurationError:
            rows.append([name, *"–" * len(GROUPS), "–"])
            purposes.append(f"cannot be used; see: python scripts/recipes.py check {recipe_file.shown(path)}")
            continue
        rows.append([name, *(choices.get(group, "–") for group in GROUPS), _network(name)])
        purposes.append(recipe_file.header(path).purpose)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row, purpose in zip(rows, purposes, strict=True):
        print("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if purpose:
            print(textwrap.fill(purpose, 96, initial_indent="    ", subsequent_indent="    "))


def _network(name: str) -> str:
    try:
        return "yes" if needs_network(check(compose([f"+recipe={name}"]))) else "no"
    except ConfigurationError:
        return "yours"  # the recipe waits for files that the user names


def show(name: str) -> None:
    """The recipe's header, and every setting it composes to."""
    composed = compose([f"+recipe={name}"])
    print(recipe_file.header(folders.find_recipe(name)).text, end="\n\n")
    print(yaml.safe_dump(composed.content, sort_keys=False, allow_unicode=True), end="")


def check_files(paths: Sequence[str], overrides: Sequence[str]) -> None:
    """Check recipe files as a run would, before anything slow.

    Raises:
        ConfigurationError: with the problems of all files.
    """
    problems: list[Problem] = []
    for path in paths:
        given = path if folders.is_recipe_path(path) else f"./{path}"
        try:
            check(compose([f"+recipe={given}", *overrides]))
            print(f"{path}: fine")
        except ConfigurationError as error:
            problems += error.problems
    if problems:
        raise ConfigurationError(problems, "these recipes")


def new(name: str, base: str) -> None:
    """Start a recipe of your own in the first recipe folder, from a copy of another one.

    Raises:
        ConfigurationError: a recipe of that name is there, or the base is not.
    """
    name = name.removesuffix(".yaml")
    if not re.fullmatch(r"\w[\w.+=/-]*", name) and ".." not in name:
        raise ConfigurationError(Problem(name, "a recipe's name may hold letters, digits and - _ . + = / only"))
    folder = folders.recipe_folders()[0]
    target = folder / f"{name}.yaml"
    if not target.resolve().is_relative_to(folder.resolve()):
        raise ConfigurationError(Problem(name, "a recipe's name cannot leave the recipe folder"))
    if target.exists():
        raise ConfigurationError(Problem(name, f"is there already: {recipe_file.shown(target)}"))
    compose([f"+recipe={base}"])  # a copy of what cannot be composed would be no help
    text = folders.find_recipe(base).read_text(encoding="utf-8")
    body = text[text.index("\ndefaults:") :] if "\ndefaults:" in text else "\n" + _without_header(text)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(
        f"{recipe_file.PACKAGE_LINE}\n# What {name} is for, in one sentence. Started from {base}.\n#\n"
        f"# Command:  accelerate launch run.py +recipe={name}\n# Measured: not yet measured\n{body}",
        encoding="utf-8",
    )
    shown = recipe_file.shown(target)
    print(f"{shown} written; edit it, then: python scripts/recipes.py check {shown}")


def _without_header(text: str) -> str:
    lines = text.splitlines(keepends=True)
    first = next((at for at, line in enumerate(lines) if line.strip() and not line.startswith("#")), 0)
    return "".join(lines[first:])


def write_schema() -> None:
    """Write the JSON Schema that editors read."""
    SCHEMA.write_text(json.dumps(json_schema.recipe_schema(), indent=1) + "\n", encoding="utf-8")
    print(f"{recipe_file.shown(SCHEMA)} written")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="every recipe: purpose, task, model, dataset, needs the network or not")
    commands.add_parser("show", help="a recipe, composed").add_argument("name")
    checking = commands.add_parser("check", help="check recipe files without running them")
    checking.add_argument("files", nargs="+", metavar="FILE")
    checking.add_argument("--set", nargs="*", default=[], metavar="key=value", help="overrides to check with")
    starting = commands.add_parser("new", help="start a recipe from another one")
    starting.add_argument("name")
    starting.add_argument("--from", dest="base", required=True, metavar="BASE")
    commands.add_parser("schema", help="write conf/recipe.schema.json for editors")
    given = parser.parse_args(arguments)
    with telling_mistakes():
        if given.command == "list":
            list_recipes()
        elif given.command == "show":
            show(given.name)
        elif given.command == "check":
            check_files(given.files, given.set)
        elif given.command == "new":
            new(given.name, given.base)
        else:
            write_schema()


if __name__ == "__main__":
    main()
