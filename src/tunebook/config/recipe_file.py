"""What a recipe file may hold: data, never code. Reads YAML only; composes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tunebook.errors import Problem

PACKAGE_LINE = "# @package _global_"
_PACKAGE = re.compile(r"^\s*#\s*@package\s+(\S+)")


@dataclass(frozen=True)
class Header:
    """The comment at the top of a recipe: its first sentence, and all of it."""

    purpose: str
    text: str


def shown(path: Path) -> str:
    """A path as a user would write it: relative to the working folder where that is shorter."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def header(path: Path) -> Header:
    """The leading comment of a YAML file, without directives for Hydra and editors."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            break
        text = line.lstrip("#").strip()
        if not text.startswith(("@", "yaml-language-server")):
            lines.append(text)
    whole = "\n".join(lines).strip()
    return Header(purpose=whole.split("\n\n")[0].replace("\n", " ").split(". ")[0].rstrip("."), text=whole)


def problems(path: Path) -> list[Problem]:
    """Everything that makes a recipe file unfit to be composed."""
    place = shown(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        return [Problem("recipe", f"is not UTF-8 text (byte {error.start}); save it as UTF-8", place)]
    except OSError as error:
        return [Problem("recipe", f"cannot be read: {error.strerror}", place)]
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{place}:{mark.line + 1}" if mark else place
        return [Problem("recipe", f"is not YAML: {getattr(error, 'problem', error)}", where)]
    found = _package_problems(text, place)
    if content is None:
        return [*found, Problem("recipe", "is empty: it should set what differs from the defaults", place)]
    if not isinstance(content, dict):
        return [*found, Problem("recipe", "should be a mapping of groups, such as `model:` …", place)]
    found += _repeated(node, place)
    return found + _forbidden(content, place)


def _package_problems(text: str, place: str) -> list[Problem]:
    for line in text.splitlines():
        match = _PACKAGE.match(line)
        if match:
            if match[1] == "_global_":
                return []
            return [Problem("recipe", f"has '# @package {match[1]}'; the first line must be '{PACKAGE_LINE}'", place)]
        if line.strip() and not line.lstrip().startswith("#"):
            break
    message = f"has no '{PACKAGE_LINE}' line on top: without it nothing in the recipe would take effect"
    return [Problem("recipe", message, place)]


def _repeated(node: Any, place: str, prefix: str = "") -> list[Problem]:
    # PyYAML keeps the last of two equal keys without a word.
    if not isinstance(node, yaml.MappingNode):
        return []
    found, seen = [], set()
    for key, value in node.value:
        path = f"{prefix}{key.value}"
        if key.value in seen:
            found.append(Problem(path, "stands twice; keep one", f"{place}:{key.start_mark.line + 1}"))
        seen.add(key.value)
        found += _repeated(value, place, f"{path}.")
    return found


def _forbidden(content: dict[str, Any], place: str) -> list[Problem]:
    found = []
    for path, value in _walk(content):
        key = path.rsplit(".", 1)[-1]
        if key == "_target_":
            reason = "a recipe is data and never names code to run; take the line out"
            found.append(Problem(path, reason + " (own tasks and metrics come from an installed plugin)", place))
        if key == "trust_remote_code":
            reason = "running a recipe never executes code from elsewhere; take the line out"
            found.append(Problem(path, reason, place))
    if "hydra" in content:
        found.append(Problem("hydra", "a recipe cannot configure Hydra itself; take the block out", place))
    found += [p for entry in content.get("defaults") or [] for p in _default_problems(entry, place)]
    return found


def _default_problems(entry: Any, place: str) -> list[Problem]:
    words = str(next(iter(entry)) if isinstance(entry, dict) else entry).split()
    name = words[-1] if words else ""
    option = str(next(iter(entry.values()))) if isinstance(entry, dict) else name
    if name.lstrip("/").startswith("hydra"):
        return [Problem(f"defaults: {name}", "a recipe cannot configure Hydra itself; take the line out", place)]
    if ".." in Path(option).parts or ".." in Path(name).parts:
        return [Problem(f"defaults: {option}", "leaves its folder; name an option of the group", place)]
    return []


def _walk(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            path = f"{prefix}.{key}" if prefix else str(key)
            yield path, inner
            yield from _walk(inner, path)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _walk(inner, f"{prefix}.{number}")
