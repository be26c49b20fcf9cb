"""What rows must satisfy before anything is learned from them. Changes nothing; knows no files."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from datasets import ClassLabel, Dataset, DatasetDict, Image

from tunebook.data.columns import ROW
from tunebook.data.reading.typed import kind_of
from tunebook.errors import Problem

SHOWN = 10


def values(splits: DatasetDict, label: str | None, keys: Mapping[str, str], places: Mapping[str, str]) -> list[Problem]:
    """Missing labels, missing texts, texts that are no text, images that are no images.

    Args:
        splits: with role columns and `row`.
        label: the label's role.
        keys: role to its configuration key.
        places: split to its name in messages.
    """
    problems = []
    for name, split in splits.items():
        if not len(split):
            problems.append(Problem(places[name], "has no rows"))
            continue
        for role in split.column_names:
            if role != ROW:
                check = _label if role == label else _image if role == "image" else _text
                problems += [Problem(keys[role], message, places[name]) for message in check(split, role)]
    return problems


def classes(splits: DatasetDict, label: str, names: list[str], key: str) -> list[Problem]:
    """Labels that training never shows, and a training split of one class."""
    seen = set(splits["train"][label])
    problems = []
    if len(seen) == 1:
        message = f"train has one class only, {names[seen.pop()]!r}; there is nothing to tell apart"
        return [Problem(key, message)]
    for name, split in splits.items():
        rows: dict[int, list[int]] = {}
        for row, value in zip(split[ROW], split[label], strict=True):
            if value not in seen:
                rows.setdefault(value, []).append(row)
        for value, where in sorted(rows.items()):
            message = f"{names[value]!r} stands in {name} but never in train: {_rows(where)}"
            problems.append(Problem(key, message))
    return problems


def stated_rows(splits: DatasetDict, stated: Mapping[str, int] | None) -> list[Problem]:
    """Splits with another number of rows than the recipe says, or that are not there."""
    problems = []
    for name, count in (stated or {}).items():
        found = len(splits[name]) if name in splits else 0
        if found != count:
            message = f"states {count} rows; there are {found}. Is it the right data? Otherwise state {found}, or null"
            problems.append(Problem(f"dataset.rows.{name}", message))
    return problems


def _label(split: Dataset, role: str) -> list[str]:
    hidden = isinstance(split.features[role], ClassLabel)
    return _missing(split, role, lambda value: _no_label(value) or (hidden and value < 0), "no label")


def _no_label(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in {"", "nan"}
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _text(split: Dataset, role: str) -> list[str]:
    found = _missing(split, role, lambda value: value is None or value != value or not str(value).strip(), "no text")
    kinds = {kind_of(value) for value in split[role]} - {"missing", "text"}
    if kinds:
        found.append(f"must be text; it holds {' and '.join(sorted(kinds))}s. Is it the right column?")
    return found


def _image(split: Dataset, role: str) -> list[str]:
    if not isinstance(split.features[role], Image):
        return [f"must hold images; it holds {split.features[role]}. For folders of images use dataset=image_folder"]
    return _missing(split.cast_column(role, Image(decode=False)), role, lambda value: value is None, "no image")


def _missing(split: Dataset, role: str, lacks: Callable[[Any], bool], what: str) -> list[str]:
    rows = [row for row, value in zip(split[ROW], split[role], strict=True) if lacks(value)]
    if not rows:
        return []
    if len(rows) == len(split):
        return [f"no row has a value: all {len(rows)} rows have {what}"]
    return [f"{len(rows)} row{'s have' if len(rows) > 1 else ' has'} {what}: {_rows(rows)}; complete or remove them"]


def _rows(rows: list[int]) -> str:
    shown = ", ".join(map(str, rows[:SHOWN])) + (f", … ({len(rows)} in all)" if len(rows) > SHOWN else "")
    return f"row{'s' if len(rows) > 1 else ''} {shown} (counted from 0)"
