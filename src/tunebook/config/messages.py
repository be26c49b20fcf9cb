"""The words of messages: pydantic's errors as problems that a user reads. Knows models, no particular group."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from tunebook.errors import Problem, did_you_mean

_UNION_STEP = re.compile(
    r"(int|float|bool|str|dict(\[.*\])?|list(\[.*\])?|literal\[.*\]|constrained-\w+|(nullable|function-\w+)\[?.*|\[key\])"
)
_LIMITS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
_KINDS = {
    "a whole number": {"int_parsing", "int_type", "int_from_float", "int_parsing_size"},
    "a number": {"float_parsing", "float_type"},
    "a number, neither infinite nor NaN": {"finite_number"},
    "true or false": {"bool_parsing", "bool_type"},
    "text": {"string_type"},
    "a list, such as [a, b]": {"list_type"},
    "a mapping, such as {a: b}": {"dict_type", "model_type", "model_attributes_type"},
}

_TARGETS = {
    "single_label": "one label a row",
    "multi_label": "several labels a row",
    "regression": "one number a row",
    "token_labels": "a label for each token",
    "token_ids": "text that the model generates",
}


def target_words(target_type: str) -> str:
    """A type of target (`Task.target_type`) in words; one of a plug-in's own by its name."""
    return _TARGETS.get(target_type, target_type.replace("_", " "))


def target_order(target_type: str) -> tuple[int, str]:
    """A key that sorts types of target: ours first, in the order in which messages name them."""
    known = list(_TARGETS)
    return (known.index(target_type) if target_type in known else len(known), target_type)


def listed(names: list[str]) -> str:
    """Alternatives in words: `a, b or c`."""
    return " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def validation_problems(
    error: ValidationError,
    group: str,
    model: type[BaseModel],
    homes: Callable[[str], list[str]] = lambda name: [],
    siblings: Iterable[str] = (),
) -> list[Problem]:
    """What pydantic refuses, one problem a key; `homes` gives keys elsewhere of a name, `siblings` are allowed too."""
    messages: dict[str, list[str]] = {}
    for entry in error.errors():
        steps = entry["loc"]
        inner = _model_at(model, steps[:-1])
        allowed = set(inner.model_fields) - {"options"} if inner else set()
        known: list[str] = []
        if len(steps) == 1:
            allowed, known = allowed | set(siblings), homes(str(steps[0]))
        messages.setdefault(_key(group, steps), []).append(_describe(entry, allowed, known))
    return [Problem(key, _joined(parts)) for key, parts in messages.items()]


def unknown(name: str, allowed: Iterable[str], homes: list[str]) -> str:
    """Of a key that nothing has; `homes` are keys elsewhere of its name, or `key=value` where that choice has it."""
    if name in {"_target_", "trust_remote_code"}:
        return "a run never executes code from elsewhere; take it out"
    if homes and "=" in homes[0]:
        return f"is a key of {' or '.join(homes)} only; choose one with {homes[0].split('.')[0]}=NAME"
    near = did_you_mean(name, allowed)
    if homes and not near.startswith("did you mean"):
        near = f"did you mean {' or '.join(homes)}?"
    return f"unknown; {near}"


def _key(group: str, steps: Iterable[int | str]) -> str:
    """A dotted key, without the steps that pydantic adds for unions."""
    own = [str(step) for step in steps if step != "" and not _UNION_STEP.fullmatch(str(step))]
    return ".".join([group, *own])


def _describe(entry: Any, allowed: set[str], homes: list[str]) -> str:
    """One of `ValidationError.errors()` as half a sentence."""
    kind, value, context = entry["type"], entry.get("input"), entry.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown(str(entry["loc"][-1]), allowed, homes)
    if kind == "missing":
        return "must be given"
    if kind == "literal_error":
        options = [part.strip(" '") for part in re.split(r",| or ", context["expected"])]
        return f"{value!r} is not one of its values; {did_you_mean(str(value), options)}"
    if kind == "value_error":
        return str(context.get("error", entry["msg"]))
    if kind in _LIMITS:
        words, bound = _LIMITS[kind]
        return f"must be {words} {context[bound]:g}, not {value!r}"
    if kind in {"too_short", "too_long"}:
        return f"should have at {_length(context)}, not {context['actual_length']}"
    if kind == "string_pattern_mismatch" and r"\w" in context["pattern"]:
        return f"may hold letters, digits and - _ . + = only, and starts with a letter or digit; not {value!r}"
    for words, kinds in _KINDS.items():
        if kind in kinds:
            return f"should be {words}, not {value!r}"
    return f"{entry['msg'][0].lower()}{entry['msg'][1:]}, not {value!r}"


def _joined(messages: list[str]) -> str:
    """The messages about one value of several possible types, as one."""
    messages = list(dict.fromkeys(messages))
    parts = [re.fullmatch(r"should be (.*), not (.*)", message, re.DOTALL) for message in messages]
    if len(messages) == 1 or not all(parts):
        return messages[0]
    kinds = [part[1] for part in parts if part]
    kinds = [kind for kind in kinds if not (kind == "a whole number" and "a number" in kinds)]
    return f"should be {' or '.join(kinds)}, not {parts[0][2] if parts[0] else ''}"


def _model_at(model: type[BaseModel], steps: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The model that holds a nested key; None where any key is allowed."""
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


def _length(context: dict[str, Any]) -> str:
    if "min_length" in context:
        return f"least {context['min_length']} item{'s' if context['min_length'] > 1 else ''}"
    return f"most {context['max_length']}"
