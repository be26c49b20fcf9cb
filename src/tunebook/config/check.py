"""Turns a composed configuration into typed objects, or tells everything that is wrong with it at once."""

from __future__ import annotations

import typing
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from tunebook.config import registry, rules, schema
from tunebook.config.compose import Composed
from tunebook.config.messages import describe, joined, key_of
from tunebook.config.places import Places
from tunebook.config.training_fields import RENAMED, RESERVED, group_of, training_fields
from tunebook.errors import Problem, did_you_mean


def check(composed: Composed) -> tuple[schema.Config, list[Problem]]:
    """The typed configuration and every problem that was found; a group that cannot be used is None."""
    content, places = composed.content, composed.places
    problems = [*composed.problems, *_top_level(content, places)]
    parts: dict[str, Any] = dict.fromkeys([*schema.NAMED, *schema.PLAIN])
    for group in _judged(composed.problems):
        given = content.get(group)
        if not isinstance(given, dict):
            problems.append(Problem(group, _no_group(group, given), places.of(group)))
            continue
        parts[group], found = typed_group(group, given, places)
        problems += found
    config = schema.Config.model_construct(**parts)
    return config, problems + rules.problems(config, places)


def typed_group(group: str, given: dict[str, Any], places: Places) -> tuple[Any, list[Problem]]:
    """One group as its typed form, None where it cannot be used, and what is wrong with it."""
    return _named(group, given, places) if group in schema.NAMED else _plain(group, given, places)


def _judged(problems: Iterable[Problem]) -> list[str]:
    """The groups to judge: where an option or a recipe cannot be used, what it would have set is not there."""
    unusable = {problem.key.lstrip("+~").split("=")[0].split(".")[0] for problem in problems}
    groups = [*schema.NAMED, *schema.PLAIN]
    if not unusable <= set(groups):
        groups = ["hyperparameters", "runtime", "run"]
    return [group for group in groups if group not in unusable]


def _no_group(group: str, given: object) -> str:
    if given is None:
        return f"holds nothing; take the line out, or choose an option with {group}=NAME"
    return f"should be a group of keys, not {given!r}"


def known_keys() -> set[str]:
    """Dotted keys that any configuration may set, for guesses at what was meant."""
    keys = set()
    for group, model in [*schema.PLAIN.items(), *((name, entry[0]) for name, entry in schema.NAMED.items())]:
        keys |= {f"{group}.{field}" for field in model.model_fields if field != "options"}
    for group, (_, _, kind) in schema.NAMED.items():
        for name in registry.names(kind):
            keys |= {f"{group}.{field}" for field in registry.load(kind, name).Options.model_fields}
    return keys


def homes_of(name: str) -> list[str]:
    """Dotted keys that end in a name; one that is always there hides those that only some module has."""
    homes = sorted(known for known in known_keys() if known.rsplit(".", 1)[-1] == name)
    always = [home for home in homes if home.split(".")[0] in schema.PLAIN]
    return always or homes


def _top_level(content: dict[str, Any], places: Places) -> list[Problem]:
    allowed = {*schema.NAMED, *schema.PLAIN}
    return [Problem(key, _unknown(key, allowed), places.of(key)) for key in content if key not in allowed]


def _unknown(key: str, allowed: set[str]) -> str:
    if key in RENAMED:
        return RENAMED[key]
    if key in RESERVED:
        return RESERVED[key]
    homes = homes_of(key)
    if homes:
        return f"unknown; did you mean {' or '.join(homes)}?"
    return f"unknown; {did_you_mean(key, allowed)}"


def _homes(name: str, group: str) -> list[str]:
    """Keys of that name; where another module of the group has it, those modules."""
    if f"{group}.{name}" not in known_keys() or group not in schema.NAMED:
        return homes_of(name)
    _, selector, kind = schema.NAMED[group]
    owners = [owner for owner in registry.names(kind) if name in registry.load(kind, owner).Options.model_fields]
    return [f"{group}.{selector}={owner}" for owner in owners]


def _plain(group: str, given: dict[str, Any], places: Places) -> tuple[Any, list[Problem]]:
    if group in {"hyperparameters", "runtime"}:
        misplaced = _misplaced(group, given, places)
        given = {key: value for key, value in given.items() if f"{group}.{key}" not in {p.key for p in misplaced}}
    else:
        misplaced = []
    part, found = _validated(schema.PLAIN[group], given, group, places)
    return (None if misplaced else part), misplaced + found


def _misplaced(group: str, given: dict[str, Any], places: Places) -> list[Problem]:
    found = []
    own = set(schema.PLAIN[group].model_fields)
    for key in given:
        message = None
        other = "runtime" if group == "hyperparameters" else "hyperparameters"
        if key in own:
            continue
        if key in RENAMED:
            message = RENAMED[key]
        elif key in RESERVED:
            message = RESERVED[key]
        elif key in schema.PLAIN[other].model_fields:
            why = "changes only how it runs" if other == "runtime" else "changes the resulting model"
            message = f"belongs to the group {other}, as it {why}: write {other}.{key}"
        elif key in training_fields() and group_of(key) is None:
            message = "is set by Tunebook"
        if message:
            found.append(Problem(f"{group}.{key}", message, places.of(f"{group}.{key}")))
    return found


def _named(group: str, given: dict[str, Any], places: Places) -> tuple[Any, list[Problem]]:
    model, selector, kind = schema.NAMED[group]
    name = given.get(selector)
    if not isinstance(name, str) or name not in registry.names(kind):
        message = f"no such {kind}: {name!r}; {did_you_mean(str(name), registry.names(kind))}"
        return None, [Problem(f"{group}.{selector}", message, places.of(f"{group}.{selector}"))]
    common = {key: value for key, value in given.items() if key in model.model_fields and key != "options"}
    special = {key: value for key, value in given.items() if key not in common}
    options_model = registry.load(kind, name).Options
    options, found = _validated(options_model, special, group, places, beside=set(model.model_fields) - {"options"})
    if options is None:
        options = options_model.model_construct()
    part, more = _validated(model, {**common, "options": options}, group, places)
    return (None if found else part), found + more


def _validated(
    model: type[BaseModel], given: dict[str, Any], group: str, places: Places, beside: set[str] | None = None
) -> tuple[Any, list[Problem]]:
    """An instance of the model, or its problems; None in a key stands for the model's own default."""
    fields = model.model_fields
    kept = {key: value for key, value in given.items() if not (value is None and key in fields)}
    try:
        return model.model_validate(kept), []
    except ValidationError as error:
        messages: dict[str, list[str]] = {}
        for entry in error.errors():
            steps = entry["loc"]
            inner = _model_at(model, steps[:-1])
            allowed = set(inner.model_fields) - {"options"} if inner else set()
            homes = []
            if len(steps) == 1:
                allowed, homes = allowed | (beside or set()), _homes(str(steps[0]), group)
            messages.setdefault(key_of(group, steps), []).append(describe(entry, allowed, homes))
        return None, [Problem(key, joined(said), places.of(key)) for key, said in messages.items()]


def _model_at(model: type[BaseModel], steps: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The model that holds a nested key; None where any key may stand."""
    for step in steps:
        if isinstance(step, str) and step in model.model_fields:
            inner = _models_in(model.model_fields[step].annotation)
            if not inner:
                return None
            model = inner[0]
    return model


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models_in(part)]
