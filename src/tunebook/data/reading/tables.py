"""Makes Arrow tables of columns and checks them. Knows pyarrow; no file format and no meaning of a column."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pyarrow

from tunebook.data.reading.storage import Change
from tunebook.data.reading.typed import CellType, kind_of, numbers
from tunebook.errors import DataError, Problem

NOT_ARROW = (pyarrow.ArrowException, OverflowError, UnicodeEncodeError)
"""What Arrow raises for values that it cannot hold."""


class TextColumns:
    """Makes Arrow tables of chunks of text cells; what is all numbers becomes numbers once everything is read."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._types: dict[str, CellType] = {}

    def table(self, columns: dict[str, list[str | None]]) -> pyarrow.Table:
        """The next chunk, as text; half characters, which some encodings allow, are a `DataError`."""
        for name, cells in columns.items():
            self._types.setdefault(name, CellType()).add(cells)
        try:
            return pyarrow.table({name: pyarrow.array(cells, pyarrow.string()) for name, cells in columns.items()})
        except UnicodeEncodeError as error:
            raise DataError(Problem(self._place, f"cannot be read: {error}")) from None

    def change(self) -> Change | None:
        """Gives columns of numbers their type, and empty ones none; None where all are text."""
        kinds = {name: cells.kind for name, cells in self._types.items() if cells.kind or cells.empty}
        return (lambda table: _typed(table, kinds)) if kinds else None


def _typed(table: pyarrow.Table, kinds: dict[str, type | None]) -> pyarrow.Table:
    types: dict[type | None, Any] = {int: pyarrow.int64(), float: pyarrow.float64(), None: pyarrow.null()}
    for name, kind in kinds.items():
        cells = numbers(table.column(name).to_pylist(), kind) if kind else [None] * len(table)
        at = table.column_names.index(name)
        table = table.set_column(at, name, pyarrow.array(cells, types[kind], from_pandas=True))
    return table


class JsonColumns:
    """Makes Arrow tables of chunks of JSON columns, and remembers the columns that cannot become one.

    A column that mixes kinds of values, or holds what Arrow cannot, is left out; it is a problem only where it is
    among the `needed` ones.
    """

    def __init__(self, place: str, needed: Collection[str]) -> None:
        self._place, self._needed = place, needed
        self._first_rows: dict[str, dict[str, int]] = {}
        self._problems: dict[str, str] = {}
        self._types: dict[str, pyarrow.Schema] = {}
        self._rows = 0

    def table(self, columns: dict[str, list[Any]]) -> pyarrow.Table:
        """The next chunk as a table; a column that is left out is null."""
        count = len(next(iter(columns.values())))
        arrays = {}
        for name, values in columns.items():
            if name not in self._problems:
                arrays[name] = self._array(name, values)
            if name in self._problems:
                arrays[name] = pyarrow.nulls(count)
        self._rows += count
        return pyarrow.table(arrays)

    def change(self) -> Change | None:
        """Takes the columns out that cannot be used; None where there are none; a needed one is a `DataError`."""
        problems = [Problem(self._place, why) for name, why in self._problems.items() if name in self._needed]
        if problems:
            raise DataError(problems)
        return (lambda table: table.drop_columns(list(self._problems))) if self._problems else None

    def _array(self, name: str, values: list[Any]) -> pyarrow.Array:
        first_rows = self._first_rows.setdefault(name, {})
        for kind in {kind_of(value) for value in values} - {"missing", *first_rows}:
            first_rows[kind] = self._rows + next(row for row, value in enumerate(values) if kind_of(value) == kind)
        if len(first_rows) > 1 and set(first_rows) != {"whole number", "number"}:
            shown = sorted(first_rows.items(), key=lambda item: item[1])
            mixed = " and ".join(f"{kind} (row {row})" for kind, row in shown)
            self._problems[name] = f"column {name!r} mixes {mixed}"
            return None
        try:
            array = pyarrow.array(values, from_pandas=True)
            own = pyarrow.schema([(name, array.type)])
            before = self._types.get(name, own)
            self._types[name] = pyarrow.unify_schemas([before, own], promote_options="permissive")
        except NOT_ARROW as error:
            self._problems[name] = f"column {name!r} cannot be read: {_first_bad(values, self._rows)}{error}"
            return None
        return array


def _first_bad(values: list[Any], before: int) -> str:
    """The first row that alone cannot become Arrow, in words; empty where only several together cannot."""
    for row, value in enumerate(values, start=before):
        try:
            pyarrow.array([value])
        except NOT_ARROW:
            return f"row {row} (counted from 0): "
    return ""


def check_utf8(table: pyarrow.Table, place: str) -> None:
    """Refuse text that is not UTF-8, which Arrow itself notices only when it is asked."""
    for name in table.column_names:
        column = table.column(name)
        if pyarrow.types.is_string(column.type) or pyarrow.types.is_large_string(column.type):
            try:
                column.validate(full=True)
            except pyarrow.ArrowException as error:
                message = f"column {name!r} holds what is no text: {first_line(error)}"
                raise DataError(Problem(place, message)) from None


def first_line(error: Exception) -> str:
    """The first line of an exception's words, or its kind where it has none."""
    return next(iter(str(error).splitlines()), type(error).__name__)
