"""What rows must satisfy before anything is learned from them. Changes nothing; knows no files."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Any

import numpy as np
from datasets import ClassLabel, Dataset, DatasetDict

from tunebook.config.data_groups import AUXILIARY
from tunebook.data import chunks
from tunebook.data.columns import ROW, Column, Kind
from tunebook.data.kinds import FEATURES, KINDS
from tunebook.data.reading.typed import kind_of
from tunebook.data.sources.base import SPLITS
from tunebook.errors import Problem

SHOWN = 10


def values(
    splits: DatasetDict,
    columns: Mapping[str, Column],
    keys: Mapping[str, str],
    places: Mapping[str, str],
    empty_texts: bool = False,
    encoded: str | None = None,
) -> list[Problem]:
    """Missing values, and values that are not of their column's kind.

    Args:
        splits: with role columns and `row`.
        columns: of the task.
        keys: role to its configuration key.
        places: split to its name in messages.
        empty_texts: whether a text that is no target may be empty, though not in every row.
        encoded: the role whose values the task's LabelType checks; None: there is none.
    """
    problems = []
    for name, split in splits.items():
        if not len(split):
            problems.append(Problem(places[name], "has no rows"))
            continue
        for role in roles_of(split):
            messages = _wrong(split, role, columns[role], empty_texts, role == encoded)
            problems += [Problem(keys[role], message, places[name]) for message in messages]
    return problems


def roles_of(split: Dataset) -> list[str]:
    """The columns that a task asked for: neither `row` nor the auxiliary ones for splitting and weighing."""
    return [column for column in split.column_names if column != ROW and column not in AUXILIARY]


def missing(split: Dataset, role: str, kind: Kind) -> tuple[str, list[int]]:
    """What a row of this role can lack ('no text'), and the positions of the rows that lack it.

    A row of several labels, of spans or of boxes may have none of them.
    """
    if kind in FEATURES:
        nulls = (table.column(0).is_null().to_numpy() for table in chunks.tables(split, [role], chunks.FILE_ROWS))
        return f"no {kind}", np.flatnonzero(np.concatenate([*nulls, np.empty(0, dtype=bool)])).tolist()
    if kind == "labels":
        return "no label", []
    hidden = isinstance(split.features[role], ClassLabel)  # the Hub has -1 for labels that are not published
    lacks: Callable[[Any], bool] = {
        "text": no_text,
        "label": lambda value: _no_label(value) or (hidden and value < 0),
        "number": _no_label,
        "spans": lambda value: value is None,
        "boxes": lambda value: value is None,
    }.get(kind, lambda value: not value)
    rows = [first + at for first, part in chunks.values(split, role) for at, value in enumerate(part) if lacks(value)]
    return "no label" if kind == "number" else f"no {kind}", rows


def no_text(value: Any) -> bool:
    """Whether a value stands for a text that is not there."""
    return value is None or (isinstance(value, float) and math.isnan(value)) or not str(value).strip()


def classes(splits: DatasetDict, label: str, names: list[str], key: str, before: str = "") -> list[Problem]:
    """Labels that training never shows, and a training split of one class.

    Args:
        splits: with a ClassLabel column, or one of 0 and 1 for each label.
        label: its role.
        names: of the labels.
        key: the column's configuration key.
        before: what was taken from train before, as the end of a message.
    """
    several = not isinstance(splits["train"].features[label], ClassLabel)
    seen = {value for _, value in _seen(splits["train"], label)}
    problems = []
    if len(seen) == 1 and not several:
        message = f"train has one class only, {names[seen.pop()]!r}; there is nothing to tell apart{before}"
        return [Problem(key, message)]
    for name, split in splits.items():
        rows: dict[int, list[int]] = {}
        for at, value in _seen(split, label):
            if value not in seen:
                rows.setdefault(value, []).append(at)
        for value, positions in sorted(rows.items()):
            where = rows_in_words(chunks.row_numbers(split)[positions].tolist())
            message = f"{names[value]!r} is in {name} but never in train: {where}{before}"
            problems.append(Problem(key, message))
    return problems


def nothing_left(splits: DatasetDict, befores: Mapping[str, str]) -> list[Problem]:
    """Splits that cleaning has emptied; `befores` says of each what was taken from it, as the end of a message."""
    return [
        Problem(f"{name} split", f"has no rows left{befores[name]}; report instead of drop shows them")
        for name, split in splits.items()
        if not len(split)
    ]


def stated_rows(
    splits: Mapping[str, Sized], stated: Mapping[str, int] | None, dropped: int = 0, carved: Iterable[str] = ()
) -> list[Problem]:
    """Splits with another number of rows than the recipe says, or that are not there.

    Args:
        splits: as they are, before leaks are dropped.
        stated: split to its rows.
        dropped: rows that cleaning has taken from train already. Shares are then of fewer rows, so of train and
            what was carved from it only the sum can be told.
        carved: the splits that were carved from train.
    """
    counts = {name: len(split) for name, split in splits.items()}
    one = {"train", *carved} if dropped else set()
    problems = []
    if one and stated and one <= set(stated):
        there, total = sum(counts[name] for name in one) + dropped, sum(stated[name] for name in one)
        if there != total:
            shown = " + ".join(name for name in SPLITS if name in one)
            message = f"states {total} rows for {shown}; there are {there}. Is it the right data?"
            problems.append(Problem("dataset.rows", f"{message} Otherwise set it to null"))
    for name, count in (stated or {}).items():
        there = counts.get(name, 0)
        if name not in one and there != count:
            message = f"states {count} rows; there are {there}. Is it the right data? Otherwise state {there}, or null"
            problems.append(Problem(f"dataset.rows.{name}", message))
    return problems


def _seen(split: Dataset, label: str) -> Iterator[tuple[int, int]]:
    """Position and label id of each label of each row."""
    for first, part in chunks.values(split, label):
        for at, value in enumerate(part, start=first):
            yield from (
                ((at, label_id) for label_id, there in enumerate(value) if there)
                if isinstance(value, list)
                else ((at, value),)
            )


def _wrong(split: Dataset, role: str, column: Column, empty_texts: bool, encoded: bool) -> list[str]:
    feature, kind = split.features[role], column.kind
    if kind in FEATURES and type(feature).__name__ != FEATURES[kind]:
        if kind == "audio":
            return [f"must hold audio files; it holds {feature}"]
        return [f"must hold images; it holds {feature}. For folders of images use dataset=image_folder"]
    what, lacking = missing(split, role, kind)
    allowed = kind == "text" and not column.target and len(lacking) < len(split)
    allowed = column.may_be_empty or (allowed and empty_texts)
    messages = [_lack(split, what, lacking)] if lacking and not allowed else []
    if kind == "text" and getattr(feature, "dtype", None) != "string":
        types = {kind_of(value) for _, part in chunks.values(split, role) for value in part} - {"missing", "text"}
        if types:
            messages.append(f"must be text; it holds {' and '.join(sorted(types))}s. Is it the right column?")
    elif kind != "text" and kind in KINDS and not encoded:
        words, is_of_kind = KINDS[kind]
        values_at = ((first + at, value) for first, part in chunks.values(split, role) for at, value in enumerate(part))
        wrong = [at for at, value in values_at if not is_of_kind(value)]
        if wrong := sorted(set(wrong) - set(lacking)):
            rows = rows_in_words(chunks.row_numbers(split)[wrong].tolist())
            shown = f"it holds {feature}" if len(wrong) == len(split) else rows
            messages.append(f"must be {words}; {shown}. Is it the right column?")
    return messages


def _no_label(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in {"", "nan"}
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _lack(split: Dataset, what: str, lacking: list[int]) -> str:
    if len(lacking) == len(split):
        return f"no row has a value: all {len(split)} rows have {what}"
    rows = chunks.row_numbers(split)[lacking].tolist()
    return (
        f"{len(rows)} row{'s have' if len(rows) > 1 else ' has'} {what}: {rows_in_words(rows)}; complete or remove "
        "them, or leave such training rows out by cleaning.missing=drop"
    )


def rows_in_words(rows: list[int], shown: int = SHOWN) -> str:
    """'row 7', 'rows 1, 3', 'rows 0, 1, … (15 in all)'; counted from 0."""
    listed = ", ".join(map(str, rows[:shown])) + (f", … ({len(rows)} in all)" if len(rows) > shown else "")
    return f"row{'s' if len(rows) > 1 else ''} {listed} (counted from 0)"
