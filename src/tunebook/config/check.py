"""Turns a composed configuration into typed groups; knows their form, no rule between them and no module's rules."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from tunebook.config import registry, schema
from tunebook.config.compose import Composed
from tunebook.config.messages import unknown, validation_problems
from tunebook.config.places import Places
from tunebook.config.training_fields import RENAMED, RESERVED, group_of, training_fields
from tunebook.errors import Problem, did_you_mean

GROUPS = (*schema.NAMED, *schema.PLAIN)


def check(composed: Composed) -> tuple[schema.Config, list[Problem]]:
    """The typed configuration and what is wrong with its form; a group that cannot be used is None."""
    content, places = composed.content, composed.places
    problems = [*composed.problems]
    for key in content:
        if key not in GROUPS:
            homes = homes_of(key)
            message = RENAMED.get(key) or RESERVED.get(key) or unknown(key, () if homes else GROUPS, homes)
            problems.append(Problem(key, message, places.of(key)))
    parts: dict[str, Any] = dict.fromkeys(GROUPS)
    for group in _usable(composed.problems):
        given = content.get(group)
        if isinstance(given, dict):
            parts[group], wrong = typed_group(group, given, places)
            problems += wrong
        else:
            message = f"should be a group of keys, not {given!r}"
            if given is None:
                message = f"holds nothing; take the line out, or choose an option with {group}=NAME"
            problems.append(Problem(group, message, places.of(group)))
    return schema.Config.model_construct(**parts), problems


def typed_group(group: str, given: dict[str, Any], places: Places) -> tuple[Any, list[Problem]]:
    """One group as its typed form, None where it cannot be used, and what is wrong with it."""
    moved = _moved(group, given)
    given = {key: value for key, value in given.items() if f"{group}.{key}" not in {p.key for p in moved}}
    part, refused = _named(group, given) if group in schema.NAMED else _validated(schema.model_of(group), given, group)
    problems = [Problem(p.key, p.message, places.of(p.key)) for p in (*moved, *refused)]
    return (None if problems else part), problems


def known_keys() -> set[str]:
    """Dotted keys that any configuration may set, for guesses at what was meant."""
    keys = {f"{group}.{field}" for group in schema.PLAIN for field in schema.model_of(group).model_fields}
    for group, (model, _, kind) in schema.NAMED.items():
        keys |= {f"{group}.{field}" for field in model.model_fields if field != "options"}
        for name in registry.names(kind):
            keys |= {f"{group}.{field}" for field in registry.load(kind, name).Options.model_fields}
    return keys


def homes_of(name: str) -> list[str]:
    """Dotted keys that end in a name; one that is always there hides those that only some module has."""
    homes = sorted(known for known in known_keys() if known.rsplit(".", 1)[-1] == name)
    return [home for home in homes if home.split(".")[0] in schema.PLAIN] or homes


def _usable(problems: tuple[Problem, ...]) -> list[str]:
    """The groups to check: where an option or a recipe cannot be used, what it would have set is not there."""
    unusable = {problem.key.lstrip("+~").split("=")[0].split(".")[0] for problem in problems}
    groups = GROUPS if unusable <= set(GROUPS) else ("hyperparameters", "runtime", "run")
    return [group for group in groups if group not in unusable]


def _homes(name: str, group: str) -> list[str]:
    """Keys of that name; where another module of the group has it, those modules."""
    if group not in schema.NAMED or f"{group}.{name}" not in known_keys():
        return homes_of(name)
    _, selector, kind = schema.NAMED[group]
    owners = [owner for owner in registry.names(kind) if name in registry.load(kind, owner).Options.model_fields]
    return [f"{group}.{selector}={owner}" for owner in owners]


def _moved(group: str, given: dict[str, Any]) -> list[Problem]:
    """Keys that have another name or another group now, or that no user sets."""
    problems = []
    other = {"hyperparameters": "runtime", "runtime": "hyperparameters"}.get(group)
    for key in given:
        message = None
        if new := schema.RENAMED_KEYS.get(f"{group}.{key}"):
            message = f"renamed: use {new}"
        elif other is None or key in schema.model_of(group).model_fields:
            continue
        elif key in RENAMED or key in RESERVED:
            message = RENAMED.get(key) or RESERVED[key]
        elif key in schema.model_of(other).model_fields:
            why = "changes only how it runs" if other == "runtime" else "changes the resulting model"
            message = f"belongs to the group {other}, as it {why}: write {other}.{key}"
        elif key in training_fields() and group_of(key) is None:
            message = "is set by Tunebook"
        if message:
            problems.append(Problem(f"{group}.{key}", message))
    return problems


def _named(group: str, given: dict[str, Any]) -> tuple[Any, list[Problem]]:
    """A group whose selector names a module with options of its own."""
    model, selector, kind = schema.NAMED[group]
    name, names = given.get(selector), registry.names(kind)
    if not isinstance(name, str) or name not in names:
        return None, [Problem(f"{group}.{selector}", f"no such {kind}: {name!r}; {did_you_mean(str(name), names)}")]
    common = {key: value for key, value in given.items() if key in model.model_fields and key != "options"}
    special = {key: value for key, value in given.items() if key not in common}
    form = registry.load(kind, name).Options
    options, problems = _validated(form, special, group, set(model.model_fields) - {"options"})
    part, more = _validated(model, {**common, "options": options or form.model_construct()}, group)
    return part, problems + more


def _validated(
    model: type[BaseModel], given: dict[str, Any], group: str, siblings: set[str] | None = None
) -> tuple[Any, list[Problem]]:
    """An instance of the model, or its problems; null in a key means the model's own default."""
    values = {key: value for key, value in given.items() if not (value is None and key in model.model_fields)}
    try:
        return model.model_validate(values), []
    except ValidationError as error:
        return None, validation_problems(error, group, model, lambda name: _homes(name, group), siblings or ())
