"""Puts pydantic's findings into the words that a user reads."""

from __future__ import annotations

import re
from typing import Any

from tunebook.errors import did_you_mean

_UNION_STEP = re.compile(r"\.(int|float|bool|str|dict|list\[.*?\]|literal\[.*?\]|constrained-\w+|function-\w+.*)$")


def describe(key: str, entry: Any, group: str, allowed: set[str]) -> tuple[str, str]:
    """A finding of pydantic as the key it is about and a sentence.

    Args:
        key: dotted key, with the steps that pydantic adds for unions.
        entry: one of `ValidationError.errors()`.
        group: of the configuration.
        allowed: the keys of the group.
    """
    key = _UNION_STEP.sub("", key)
    kind, value, context = entry["type"], entry.get("input"), entry.get("ctx", {})
    if kind == "extra_forbidden":
        known = allowed if key.count(".") == 1 else set()
        return key, f"unknown; {did_you_mean(key.rsplit('.', 1)[-1], known)}"
    if kind == "missing":
        return key, "must be given"
    if kind == "literal_error":
        options = [part.strip(" '") for part in re.split(r",| or ", context["expected"])]
        return key, f"{value!r} is not one of its values; {did_you_mean(str(value), options)}"
    if kind in {"int_parsing", "int_type", "int_from_float"}:
        return key, f"should be a whole number, not {value!r}"
    if kind in {"float_parsing", "float_type"}:
        return key, f"should be a number, not {value!r}"
    if kind in {"bool_parsing", "bool_type"}:
        return key, f"should be true or false, not {value!r}"
    if kind == "string_type":
        return key, f"should be text, not {value!r}"
    if kind == "list_type":
        return key, f"should be a list, such as [a, b], not {value!r}"
    if kind in {"dict_type", "model_type", "model_attributes_type"}:
        return key, f"should be a mapping, such as {{a: b}}, not {value!r}"
    if kind == "value_error":
        return key, str(context.get("error", entry["msg"]))
    return key, f"{entry['msg'][0].lower()}{entry['msg'][1:]}, not {value!r}"
