"""Turns a label column into what a model learns, one file a kind of label. Knows no task and no source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tunebook.errors import DataError, Problem

if TYPE_CHECKING:
    from datasets import DatasetDict

Stated = Sequence[str] | Mapping[str, int | str] | None
"""`dataset.labels`: names in the order of their ids, or what stands in the data to its id or name, or nothing."""


def encode(
    splits: DatasetDict,
    role: str,
    kind: str,
    stated: Stated,
    key: str,
    separator: str | None = None,
) -> tuple[DatasetDict, list[str]]:
    """The splits with their labels in the form of a kind, and the names in the order of their ids.

    Args:
        splits: with the label column and `row`; a label in every row.
        role: the label column.
        kind: `class`: a ClassLabel; `classes`: a 0 or 1 (int8) for each name, in a list; `number`: float64.
        stated: names, or what stands in the data to its id or name; None: taken from the data.
        key: the configuration key of the column, for messages.
        separator: between the labels of a multi-label row that stand in one text.

    Returns:
        The splits, and the label names ([] for numbers).

    Raises:
        DataError: the labels are not of that kind, too many, or not the stated ones.
    """
    from tunebook.data.labels import number, one_class, several_classes

    if separator is not None and kind != "classes":
        message = "is between the labels of a row; this task gives each row one"
        raise DataError(Problem("dataset.label_separator", message))
    if kind == "number":
        return number.encode(splits, role, stated, key), []
    if kind == "classes":
        return several_classes.encode(splits, role, stated, key, separator)
    return one_class.encode(splits, role, stated, key)
