"""What a value of each kind of column looks like, in one table. Knows values, nothing of tasks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

MESSAGE_KEYS = (("role", "content"), ("from", "value"))
"""Who speaks and what, in every message of a chat; the second pair is ShareGPT's."""


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_tokens(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_tags(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str | int) and not isinstance(one, bool) for one in value)


def _is_messages(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_message(one) for one in value)


def _is_message(value: Any) -> bool:
    return isinstance(value, Mapping) and any(all(map(_is_text, map(value.get, keys))) for keys in MESSAGE_KEYS)


def _is_spans(value: Any) -> bool:
    """Lists of one length, as SQuAD has them (`{text: […], answer_start: […]}`), or a list of objects."""
    if isinstance(value, Mapping):
        fields = list(value.values())
        return bool(fields) and all(isinstance(one, list) and len(one) == len(fields[0]) for one in fields)
    return isinstance(value, list) and all(isinstance(one, Mapping) for one in value)


def _is_boxes(value: Any) -> bool:
    """Four numbers a box: a list of boxes, or an object that holds them as `bbox`, as COCO's objects do."""
    if isinstance(value, Mapping):
        fields = list(value.values())
        return _is_boxes(value.get("bbox")) and all(isinstance(f, list) and len(f) == len(fields[0]) for f in fields)
    return isinstance(value, list) and all(
        isinstance(box, list) and len(box) == 4 and all(map(_is_number, box)) for box in value
    )


KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "text": ("text", _is_text),
    "tokens": ("a list of texts", _is_tokens),
    "messages": ("a list of messages, each with role and content", _is_messages),
    "number": ("a finite number", _is_number),
    "tags": ("a list of tags, texts or ids", _is_tags),
    "spans": ("spans, as in {text: […], answer_start: […]}", _is_spans),
    "boxes": ("boxes of four numbers", _is_boxes),
}
"""Kind to its words and to whether a value is of it. Labels are read by their LabelType, images by their type."""

FEATURES = {"image": "Image", "mask": "Image", "audio": "Audio"}
"""Kinds that the column's type in `datasets` shows."""


TEXTUAL = {"text", "tokens", "messages"}
"""Kinds whose values can be read as one text; see `as_text`."""


def message_text(message: Mapping[str, Any]) -> str:
    """What a message says; "" where it says nothing."""
    return message.get("content") or message.get("value") or ""


def as_text(value: Any) -> str:
    """One text of a value: tokens joined by blanks, the contents of messages by line breaks; "" for None."""
    if isinstance(value, list):
        messages = any(isinstance(one, Mapping) for one in value)
        return "\n".join(map(message_text, value)) if messages else " ".join(map(str, value))
    return value or ""
