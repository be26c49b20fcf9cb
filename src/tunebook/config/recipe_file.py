"""What a recipe file may hold: data, never code. Reads YAML only; composes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tunebook.config import folders
from tunebook.errors import Problem, did_you_mean

PACKAGE_LINE = "# @package _global_"
_PACKAGE = re.compile(r"^\s*#\s*@package\s+(\S+)")
_RESOLVER = re.compile(r"\$\{\s*[\w.]+\s*:")


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
    text = "\n".join(lines).strip()
    return Header(purpose=text.split("\n\n")[0].replace("\n", " ").split(". ")[0].rstrip("."), text=text)


def problems(path: Path) -> list[Problem]:
    """Everything for which a recipe file cannot be composed."""
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
    problems = _package_problems(text, place)
    if content is None and not text.strip():
        return [Problem("recipe", f"is empty: it should begin with '{PACKAGE_LINE}' and set what differs", place)]
    if content is None:
        return [*problems, Problem("recipe", "sets nothing: it should set what differs from the defaults", place)]
    if not isinstance(content, dict):
        return [*problems, Problem("recipe", "should be a mapping of groups, such as `model:` …", place)]
    return [*problems, *_repeated(node, place), *_forbidden(node, place), *_defaults(node, place)]


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


def _repeated(node: Any, place: str) -> list[Problem]:
    # PyYAML keeps the last of two equal keys without a word.
    problems, seen = [], set()
    for path, _, line in _walk(node):
        if path in seen:
            problems.append(Problem(path, "is set twice; keep one", f"{place}:{line}"))
        seen.add(path)
    return problems


def _forbidden(node: Any, place: str) -> list[Problem]:
    problems = []
    for path, value, line in _walk(node):
        where = f"{place}:{line}"
        key = path.rsplit(".", 1)[-1]
        if key == "_target_":
            reason = "a recipe is data and never names code to run; take the line out"
            problems.append(Problem(path, reason + " (own tasks and metrics come from an installed plugin)", where))
        if key == "trust_remote_code":
            reason = "running a recipe never executes code from elsewhere; take the line out"
            problems.append(Problem(path, reason, where))
        if path == "run.overwrite" and str(value.value).lower() != "false":
            problems.append(Problem(path, "deletes a run: give it on the command line, where it is needed once", where))
        if path == "hydra":
            problems.append(Problem(path, "a recipe cannot configure Hydra itself; take the block out", where))
        if isinstance(value, yaml.ScalarNode) and (match := _RESOLVER.search(value.value)):
            # A stranger's recipe could so read environment variables, tokens among them, and send them on.
            reason = (
                f"{match[0]}…}} would look something up on this machine: write the value, or give it as an override"
            )
            problems.append(Problem(path, reason, where))
    return problems


def _defaults(node: Any, place: str) -> list[Problem]:
    defaults, line = next(((value, line) for path, value, line in _walk(node) if path == "defaults"), (None, 0))
    if defaults is None:
        return []
    where = f"{place}:{line}"
    if not isinstance(defaults, yaml.SequenceNode):
        return [Problem("defaults", "should be a list of lines such as `- override /model: bert_base`", where)]
    problems = []
    for entry in defaults.value:
        where = f"{place}:{entry.start_mark.line + 1}"
        if isinstance(entry, yaml.ScalarNode):
            message = _base_problem(entry.value)
            key = entry.value
        elif isinstance(entry, yaml.MappingNode) and len(entry.value) == 1:
            name, option = entry.value[0]
            key = f"{name.value}: {option.value}"
            message = _override_problem(str(name.value), option)
        else:
            key, message = "defaults", "each line names one group: `- override /model: bert_base`"
        if message:
            problems.append(Problem(f"defaults: {key}" if key != "defaults" else key, message, where))
    return problems


def _base_problem(name: str) -> str:
    """What is wrong with a line of `defaults` that is not `override /GROUP: OPTION`."""
    if name == "_self_":
        return ""
    if name.split()[-1:] and name.split()[-1].lstrip("/").startswith("hydra"):
        return "a recipe cannot configure Hydra itself; take the line out"
    return "a recipe is complete by itself: it overrides groups (`- override /model: bert_base`) and no other recipe"


def _override_problem(name: str, option: Any) -> str:
    words = name.split()
    group = words[-1].lstrip("/") if words else ""
    if group.startswith("hydra"):
        return "a recipe cannot configure Hydra itself; take the line out"
    if group not in folders.groups():
        return f"no such group; {did_you_mean(group, folders.groups())}"
    if not isinstance(option, yaml.ScalarNode):
        return "a group takes one option"
    if words[:-1] != ["override"] or not words[-1].startswith("/"):
        return f"write `- override /{group}: {option.value}`"
    options = folders.group_options(group)
    nothing = option.tag == "tag:yaml.org,2002:null"
    if nothing or option.value in options:
        return ""
    return f"no such option; {did_you_mean(option.value, options)}"


def _walk(node: Any, prefix: str = "", above: tuple[Any, ...] = ()) -> Iterator[tuple[str, Any, int]]:
    """Every dotted key, its value's node and its line. An anchor inside itself is not followed."""
    if node in above:
        return
    if isinstance(node, yaml.MappingNode):
        entries = [(str(key.value), value, key.start_mark) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        entries = [(str(number), value, value.start_mark) for number, value in enumerate(node.value)]
    else:
        return
    for key, value, mark in entries:
        path = f"{prefix}.{key}" if prefix else key
        yield path, value, mark.line + 1
        yield from _walk(value, path, (*above, node))
