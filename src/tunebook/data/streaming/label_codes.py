"""Turns one label at a time into what training needs, by stated names alone. Knows no row and no file."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tunebook.data.labels import naming
from tunebook.errors import did_you_mean

if TYPE_CHECKING:
    from tunebook.data.labels import Stated

NUMERAL = re.compile(r"-?[0-9]+")
MARKS = {"0": 0, "0.0": 0, "false": 0, "1": 1, "1.0": 1, "true": 1}


class UnknownLabel(ValueError):
    """A label that the recipe does not name, with what is allowed."""


def is_missing(value: Any) -> bool:
    """Whether a cell holds no label: nothing, blanks, NaN."""
    if isinstance(value, str):
        return value.strip().lower() in {"", "nan"}
    return value is None or (isinstance(value, float) and not math.isfinite(value))


class LabelCodes:
    """What stands in the data -> class id, 0/1 of each label, or number.

    The same as `tunebook.data.labels` makes of whole columns, as far as one row can tell. A label is looked up by
    its name. Numbers that are no names count as positions, 0 for the first name, unless a name is a numeral itself:
    whether `1` is then a name or a position, only all rows together could tell.

    Args:
        kind: `class`, `classes` or `number`.
        stated: `dataset.labels`.
        key: of the label's column, for messages.
        own: names that the source gives its numbers, or the columns that hold one label each.
        separator: between several labels in one text.

    Raises:
        DataError: stated names that cannot be names.
    """

    def __init__(
        self, kind: str, stated: Stated, key: str, own: list[str] | None = None, separator: str | None = None
    ) -> None:
        self.kind, self.separator = kind, separator
        self.names: list[str] = []
        self.by_value: dict[str, int] = {}
        if kind != "number":
            self.names, self.by_value = _table(stated, own, key)

    def lacks(self, value: Any) -> bool:
        """Whether a row has no label at all; of several labels an empty text or list means none, and is an answer."""
        if self.kind == "classes":
            return value is None and not self.separator
        return is_missing(value)

    def code(self, value: Any) -> int | float | list[int]:
        """One label, that is not missing.

        Raises:
            UnknownLabel: it is no number, or not named.
        """
        if self.kind == "number":
            return _number(value)
        return self._id(value) if self.kind == "class" else self._marked(self._several(value))

    def code_columns(self, cells: list[Any], columns: list[str]) -> list[int]:
        """Several labels that each have a column of 0 and 1.

        Raises:
            UnknownLabel: another value than 0 or 1.
        """
        marks = [MARKS.get(str(cell).strip().lower()) for cell in cells]
        for cell, mark, column in zip(cells, marks, columns, strict=True):
            if mark is None:
                held = "nothing" if cell is None else repr(cell)
                raise UnknownLabel(f"holds {held} in the column {column!r}, which must hold 0 or 1 (or false, true)")
        return self._marked({self.by_value[str(at)] for at, mark in enumerate(marks) if mark})

    def _marked(self, ids: set[int]) -> list[int]:
        return [int(at in ids) for at in range(len(self.names))]

    def _several(self, value: Any) -> set[int]:
        if isinstance(value, list | tuple):
            width = len(self.names)
            if len(value) == width and all(entry in (0, 1) for entry in value):
                if width == 2 and set(value) == {0, 1}:
                    raise UnknownLabel(f"holds {value!r}: are these two ids, or a 0 and a 1? Use names in the lists")
                return {at for at, entry in enumerate(value) if entry}
            return {self._id(entry) for entry in value}
        if self.separator is None:
            raise UnknownLabel("holds no list; where a text holds several labels, give dataset.label_separator")
        entries = ("" if value is None else str(value)).split(self.separator)
        return {self._id(entry.strip()) for entry in entries if entry.strip()}

    def _id(self, value: Any) -> int:
        key = str(value)
        if isinstance(value, float) and value == value // 1 and key not in self.by_value:
            key = str(int(value))
        elif NUMERAL.fullmatch(key.strip()):
            key = key.strip()
        found = self.by_value.get(key, self.by_value.get(key.lower()) if isinstance(value, bool) else None)
        if found is None:
            words = [name for name in self.by_value if not NUMERAL.fullmatch(name)] or list(self.by_value)
            near = did_you_mean(key, words)
            raise UnknownLabel(f"has the label {value!r}, which dataset.labels does not name; {near}")
        return found


def _table(stated: Stated, own: list[str] | None, key: str) -> tuple[list[str], dict[str, int]]:
    """The names in the order of ids, and what stands in the data -> id."""
    if own:
        names, ids = naming.names_of_known(own, list(range(len(own))), stated, key)
        return names, {str(at): number for at, number in ids.items()}
    if isinstance(stated, Mapping):
        names, ids = naming.names_of(list(stated), stated, key)
        return names, dict(ids)
    names = list(stated or [])
    by_value = {name: at for at, name in enumerate(names)}
    if not any(NUMERAL.fullmatch(name) for name in names):
        by_value |= {str(at): at for at in range(len(names))}
        by_value |= {"False": 0, "True": 1} if len(names) == 2 else {}
    return names, by_value


def _number(value: Any) -> float:
    known = isinstance(value, int | float | str) and not isinstance(value, bool)
    try:
        # Python allows _ between digits, which no file of numbers means.
        number = float(value) if known and "_" not in str(value) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise UnknownLabel(f"has the label {value!r}, which is no finite number")
    return number
