"""Any number of labels a row, from lists, one text or several columns: a 0 or 1 for each name. Knows no task."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tunebook.data.labels import naming
from tunebook.data.labels.base import Stated, Targets
from tunebook.errors import DataError, Problem

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

logger = logging.getLogger("tunebook")

MARKS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}
Rows = list[list[Any]]
"""The labels of each row."""


class MultiLabel:
    """Each row has any number of labels, also none; see `tunebook.data.labels.base.LabelType`."""

    name = "multi_label"
    words = "any number of labels a row"
    has_classes = True
    empty_is_missing = False

    def encode(
        self, splits: DatasetDict, role: str, stated: Stated, key: str, separator: str | None = None
    ) -> tuple[DatasetDict, Targets]:
        """The splits with `role` as a list of 0 and 1 (int8), one for each name.

        A label that a row names twice counts once. A row may have none: an empty list, an empty text, or 0 in every
        column. A list or a column's cell that is missing is a mistake, since nobody knows what it would hold.
        """
        from datasets import DatasetDict, List, Value

        form = _form(splits["train"].features[role])
        _check_form(splits, role, form, key, separator)
        given = {name: FORMS[form](split, role, key, separator) for name, split in splits.items()}
        if form == "lists" and _are_marks(given, stated):
            given = _from_marks(given, stated, key)
        targets, ids = _names(splits, given, role, form, stated, key)
        encoded = {}
        for name, split in splits.items():
            rows = [{ids[label] for label in labels} for labels in given[name]]
            column = [[int(index in row) for index in range(len(targets.names))] for row in rows]
            encoded[name] = split.remove_columns(role).add_column(role, column, feature=List(Value("int8")))
            if without := sum(not row for row in rows):
                logger.info("%s of %s rows of %s have no label at all", f"{without:,}", f"{len(rows):,}", name)
        return DatasetDict(encoded), targets

    def strata(self, values: Any) -> np.ndarray:
        """The 0 and 1 of each row, (rows, classes)."""
        return np.asarray(values, dtype=np.int8).reshape(len(values), -1)

    def describe(self, value: Any, names: Sequence[str]) -> str:
        """The names of the row's labels, or `none`."""
        return ", ".join(name for name, has in zip(names, value, strict=True) if has) or "none"


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
        message = f"is for labels that are one text; the labels are {form}: take it out"
        raise DataError(Problem("dataset.label_separator", message))
    if form != "text" or separator is not None:
        return
    values = [str(value) for value in splits["train"][role] if value is not None]
    if values and {value.strip().lower() for value in values} <= MARKS.keys():
        column = key.partition("=")[2].strip("'") or role
        message = "holds 0 and 1 and no label's name; where each label has a column of its own, name them all"
        raise DataError(Problem(key, f"{message}, as in 'dataset.columns.{role}=[{column}, …]'"))
    mark = next((mark for mark in "|;,/ " if any(mark in value for value in values)), ",")
    message = f"holds no lists; where a text holds several labels, say what is between them: {mark!r}, for instance"
    raise DataError(Problem("dataset.label_separator", message, key))


def _of_text(split: Dataset, role: str, key: str, separator: str | None) -> Rows:
    def written(value: Any) -> str:
        if value is None:
            return ""
        return str(int(value)) if isinstance(value, float) and value == value // 1 else str(value)

    texts = [written(value).split(separator) for value in split[role]]
    return [[label.strip() for label in labels if label.strip()] for labels in texts]


def _of_lists(split: Dataset, role: str, key: str, separator: str | None) -> Rows:
    from tunebook.data.checks import rows_in_words

    rows, numbers = list(split[role][:]), split["row"][:]
    problems = []
    if lacking := [number for number, labels in zip(numbers, rows, strict=True) if labels is None]:
        message = f"has no list: {rows_in_words(lacking)}; a row without labels has an empty one, []"
        problems.append(Problem(key, message))
    if holes := [number for number, labels in zip(numbers, rows, strict=True) if labels and None in labels]:
        problems.append(Problem(key, f"has null inside a list: {rows_in_words(holes)}; take it out"))
    if problems:
        raise DataError(problems)
    return rows


def _of_columns(split: Dataset, role: str, key: str, separator: str | None) -> Rows:
    from tunebook.data.checks import rows_in_words

    rows, numbers = list(split[role][:]), split["row"][:]
    marks = [{column: MARKS.get(str(value).strip().lower()) for column, value in row.items()} for row in rows]
    problems = []
    for column in rows[0] if rows else []:
        if wrong := [at for at, row in enumerate(marks) if row[column] is None]:
            value = rows[wrong[0]][column]
            message = f"column {column!r} must hold 0 or 1 (or false, true)"
            holds = f"it holds {'nothing' if value is None else repr(value)}"
            problems.append(Problem(key, f"{message}; {holds}: {rows_in_words([numbers[at] for at in wrong])}"))
    if problems:
        raise DataError(problems)
    return [[column for column, has in row.items() if has] for row in marks]


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
) -> tuple[Targets, dict[Any, int]]:
    distinct = naming.distinct_of((label for rows in given.values() for row in rows for label in row), key)
    if not distinct:
        raise DataError(Problem(key, "gives no row any label; there is nothing to learn"))
    if form == "columns":
        columns = list(splits["train"].features[role])
        names, by_column = naming.names_of_known(columns, list(range(len(columns))), stated, key)
        if unused := [column for column in columns if column not in distinct]:
            logger.warning("%s: no row has 1 in %s; it cannot be learned", key, ", ".join(unused))
        ids = {column: by_column[index] for index, column in enumerate(columns)}
        return naming.targets_of(names, stated, columns), ids
    known = None
    if form == "text" and _are_ids(distinct, stated):
        numbers = {label: int(label) for label in distinct}
        names, by_number = naming.names_of(sorted(set(numbers.values())), stated, key)
        ids = {label: by_number[number] for label, number in numbers.items()}
    else:
        inner = {name: getattr(split.features[role], "feature", None) for name, split in splits.items()}
        known = naming.carried_names(inner, key)
        names, ids = (
            naming.names_of_known(known, distinct, stated, key) if known else naming.names_of(distinct, stated, key)
        )
    naming.check_all_used({ids[label] for label in distinct}, names, stated)
    return naming.targets_of(names, stated, known), ids


def _are_ids(distinct: list[str], stated: Stated) -> bool:
    return all(label.isascii() and label.isdigit() for label in distinct) and not set(distinct) & set(stated or ())
