"""Any number of labels a row, from lists, one text or several columns: a 0 or 1 for each name."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tunebook.data.labels import naming
from tunebook.data.labels.one_class import carried_names
from tunebook.errors import DataError, Problem

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

    from tunebook.data.labels import Stated

logger = logging.getLogger("tunebook")

SHOWN = 10
MARKS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}


def encode(
    splits: DatasetDict, role: str, stated: Stated, key: str, separator: str | None = None
) -> tuple[DatasetDict, list[str]]:
    """The splits with `role` as a list of 0 and 1 (int8), one for each name; see `labels.encode`.

    A label that a row names twice counts once. A row may have none: an empty list, an empty text, or 0 in every
    column. A list or a column's cell that is missing is a mistake, since nobody knows what it would hold.
    """
    from datasets import DatasetDict, List, Value

    form = _form(splits["train"].features[role])
    _check_form(splits, role, form, key, separator)
    given = {name: FORMS[form](split, role, key, separator) for name, split in splits.items()}
    if form == "lists" and _are_marks(given, stated):
        given = _from_marks(given, stated, key)
    names, ids = _names(splits, given, role, form, stated, key)
    feature = List(Value("int8"))
    encoded = {}
    for name, split in splits.items():
        rows = [sorted({ids[label] for label in labels}) for labels in given[name]]
        column = [[int(index in row) for index in range(len(names))] for row in map(set, rows)]
        encoded[name] = split.remove_columns(role).add_column(role, column, feature=feature)
        _tell_without(name, rows)
    return DatasetDict(encoded), names


Rows = list[list[Any]]


def _form(feature: Any) -> str:
    from datasets import LargeList, List

    if isinstance(feature, dict):
        return "columns"
    return "lists" if isinstance(feature, List | LargeList) else "text"


def _check_form(splits: DatasetDict, role: str, form: str, key: str, separator: str | None) -> None:
    forms = {name: _form(split.features[role]) for name, split in splits.items()}
    if len(set(forms.values())) > 1:
        shown = ", ".join(f"{kind} in {name}" for name, kind in forms.items())
        raise DataError(Problem(key, f"must hold its labels in one form; it holds {shown}"))
    if form != "text" and separator is not None:
        message = f"is for labels that stand in one text; the labels are {form}: take it out"
        raise DataError(Problem("dataset.label_separator", message))
    if form == "text" and separator is None:
        values = [str(value) for value in splits["train"][role] if value is not None]
        if values and {value.strip().lower() for value in values} <= MARKS.keys():
            column = key.partition("=")[2].strip("'") or role
            message = (
                "holds 0 and 1 and no label's name; where each label has a column of its own, name them all, as in "
                f"'dataset.columns.{role}=[{column}, …]'"
            )
            raise DataError(Problem(key, message))
        counts = Counter({mark: sum(mark in value for value in values) for mark in "|;,/ "})
        mark = next((mark for mark, count in counts.items() if count), ",")
        message = f"holds no lists; where a text holds several labels, say what is between them: {mark!r}, for instance"
        raise DataError(Problem("dataset.label_separator", message, key))


def _of_text(split: Dataset, role: str, key: str, separator: str | None) -> Rows:
    mark = separator or ""
    given = ["" if value is None else _written(value) for value in split[role]]
    return [[label.strip() for label in text.split(mark) if label.strip()] for text in given]


def _written(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value == value // 1 else str(value)


def _of_lists(split: Dataset, role: str, key: str, separator: str | None) -> Rows:
    rows = list(split[role][:])
    lacking = [number for number, labels in zip(_rows_of(split), rows, strict=True) if labels is None]
    holes = [number for number, labels in zip(_rows_of(split), rows, strict=True) if labels and None in labels]
    problems = []
    if lacking:
        problems.append(Problem(key, f"has no list: {_shown(lacking)}; a row without labels has an empty one, []"))
    if holes:
        problems.append(Problem(key, f"has null inside a list: {_shown(holes)}; take it out"))
    if problems:
        raise DataError(problems)
    return rows


def _of_columns(split: Dataset, role: str, key: str, separator: str | None) -> Rows:
    rows = [dict(row) for row in split[role]]
    problems = []
    for column in rows[0] if rows else []:
        wrong = [
            (number, row[column])
            for number, row in zip(_rows_of(split), rows, strict=True)
            if str(row[column]).strip().lower() not in MARKS
        ]
        if wrong:
            value = "nothing" if wrong[0][1] is None else repr(wrong[0][1])
            message = f"column {column!r} must hold 0 or 1 (or false, true); it holds {value}"
            problems.append(Problem(key, f"{message}: {_shown([number for number, _ in wrong])}"))
    if problems:
        raise DataError(problems)
    return [[column for column, value in row.items() if MARKS[str(value).strip().lower()]] for row in rows]


FORMS: dict[str, Callable[[Any, str, str, str | None], Rows]] = {
    "text": _of_text,
    "lists": _of_lists,
    "columns": _of_columns,
}


def _are_marks(given: Mapping[str, Rows], stated: Stated) -> bool:
    """Whether lists hold a 0 or 1 for each name already: all of one length, and not ids, which differ in each row.

    Of two names, [0, 1] and [1, 0] could be ids; but then every row would have both labels.
    """
    rows = [row for part in given.values() for row in part]
    width = len(rows[0]) if rows else 0
    return (
        width > 1
        and (stated is None or isinstance(stated, Mapping) or len(stated) == width)
        and all(len(row) == width and set(row) <= {0, 1} for row in rows)
        and (any(len(set(row)) < width for row in rows) or len({tuple(row) for row in rows}) > 1)
    )


def _from_marks(given: Mapping[str, Rows], stated: Stated, key: str) -> dict[str, Rows]:
    if isinstance(stated, Mapping):
        message = "maps labels, but the lists hold a 0 or 1 for each of them; give the names as a list"
        raise DataError(Problem("dataset.labels", message, key))
    return {name: [[index for index, value in enumerate(row) if value] for row in rows] for name, rows in given.items()}


def _names(
    splits: DatasetDict, given: Mapping[str, Rows], role: str, form: str, stated: Stated, key: str
) -> naming.Names:
    distinct = naming.distinct_of((label for rows in given.values() for row in rows for label in row), key)
    if not distinct:
        raise DataError(Problem(key, "gives no row any label; there is nothing to learn"))
    if form == "columns":
        return _of_known_columns(list(splits["train"].features[role]), distinct, stated, key)
    if form == "text" and _are_ids(distinct, stated):
        numbers = {label: int(label) for label in distinct}
        names, by_number = naming.names_of(sorted(set(numbers.values())), stated, key)
        ids = {label: by_number[number] for label, number in numbers.items()}
    else:
        features = {name: split.features[role] for name, split in splits.items()}
        inner = {name: getattr(feature, "feature", None) for name, feature in features.items()}
        known = carried_names(inner, key)
        names, ids = (
            naming.names_of_known(known, distinct, stated, key) if known else naming.names_of(distinct, stated, key)
        )
    naming.check_all_used({ids[label] for label in distinct}, names, stated)
    return names, ids


def _of_known_columns(columns: list[str], distinct: list[str], stated: Stated, key: str) -> naming.Names:
    names, by_column = naming.names_of_known(columns, list(range(len(columns))), stated, key)
    if unused := [column for column in columns if column not in distinct]:
        logger.warning("%s: no row has 1 in %s; it cannot be learned", key, ", ".join(unused))
    return names, {column: by_column[index] for index, column in enumerate(columns)}


def _are_ids(distinct: list[str], stated: Stated) -> bool:
    return all(label.isascii() and label.isdigit() for label in distinct) and not set(distinct) & set(stated or ())


def _tell_without(split: str, rows: list[list[int]]) -> None:
    without = sum(not row for row in rows)
    if without:
        logger.info("%s of %s rows of %s have no label at all", f"{without:,}", f"{len(rows):,}", split)


def _rows_of(split: Dataset) -> list[int]:
    return list(split["row"]) if "row" in split.column_names else list(range(len(split)))


def _shown(rows: list[int]) -> str:
    shown = ", ".join(map(str, rows[:SHOWN])) + (f", … ({len(rows)} in all)" if len(rows) > SHOWN else "")
    return f"row{'s' if len(rows) > 1 else ''} {shown} (counted from 0)"
