"""Makes Arrow tables of columns and judges them. Knows pyarrow; no file format and no meaning of a column."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from tunebook.data.reading.typed import kind_of
from tunebook.errors import DataError, Problem

if TYPE_CHECKING:
    import pyarrow


def joined(parts: list[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    """The columns of several files as one; a column that a file lacks is None in its rows."""
    names = dict.fromkeys(name for part in parts for name in part)
    sizes = [len(next(iter(part.values()))) for part in parts]
    return {
        name: [value for part, size in zip(parts, sizes, strict=True) for value in part.get(name, [None] * size)]
        for name in names
    }


def table_of(columns: dict[str, list[Any]], place: str, needed: Collection[str]) -> pyarrow.Table:
    """An Arrow table of columns; one that mixes kinds of values is left out, and a problem only where it is needed.

    Raises:
        DataError: a needed column mixes kinds, or holds what Arrow cannot.
    """
    import pyarrow

    arrays, problems = {}, []
    for name, values in columns.items():
        kinds = {kind_of(value) for value in values} - {"missing"}
        if len(kinds) > 1 and kinds != {"whole number", "number"}:
            if name in needed:
                problems.append(Problem(place, f"column {name!r} mixes {_mixed(values, kinds)}"))
            continue
        try:
            arrays[name] = pyarrow.array(values, from_pandas=True)
        except (pyarrow.ArrowException, OverflowError, UnicodeEncodeError) as error:
            if name in needed:
                problems.append(Problem(place, f"column {name!r} cannot be read: {_first_bad(values)}{error}"))
    if problems:
        raise DataError(problems)
    return pyarrow.table(arrays)


def check_types(tables: list[tuple[str, pyarrow.Table]]) -> list[Problem]:
    """Tables of one split whose columns of one name cannot be joined."""
    import pyarrow

    problems = []
    (first_name, first), *others = tables
    for name, table in others:
        try:
            pyarrow.unify_schemas(
                [part.schema.remove_metadata() for part in (first, table)], promote_options="permissive"
            )
        except pyarrow.ArrowException as error:
            message = f"has columns of other types than {first_name}: {first_line(error)}"
            problems.append(Problem(name, message))
    return problems


def check_text(table: pyarrow.Table, place: str) -> None:
    """Refuse text that is no UTF-8, which Arrow itself finds only when it is looked at.

    Raises:
        DataError: the column and Arrow's words.
    """
    import pyarrow

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


def _mixed(values: list[Any], kinds: set[str]) -> str:
    first = {kind: next(row for row, value in enumerate(values) if kind_of(value) == kind) for kind in kinds}
    return " and ".join(f"{kind} (row {row})" for kind, row in sorted(first.items(), key=lambda item: item[1]))


def _first_bad(values: list[Any]) -> str:
    """The first row that alone cannot become Arrow, in words; empty where only several together cannot."""
    import pyarrow

    for row, value in enumerate(values):
        try:
            pyarrow.array([value])
        except (pyarrow.ArrowException, OverflowError, UnicodeEncodeError):
            return f"row {row} (counted from 0): "
    return ""
