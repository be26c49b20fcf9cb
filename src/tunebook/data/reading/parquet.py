"""Reads Parquet files whole. Knows pyarrow only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tunebook.data.reading.tables import check_text, first_line
from tunebook.errors import DataError, Problem

if TYPE_CHECKING:
    import pyarrow


def read(file: Path) -> pyarrow.Table:
    """The table, with categories decoded to their values.

    Raises:
        DataError: damaged, cut short, without rows, or two columns of one name.
    """
    import pyarrow
    from pyarrow import parquet

    _check_size(file)
    try:
        table = parquet.read_table(file)
        names = table.column_names
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(_damaged(file, error)) from None
    if not table.num_rows:
        raise DataError(Problem(file.name, "has columns and no rows"))
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(Problem(file.name, f"has two columns of one name: {', '.join(map(repr, twice))}"))
    for index, field in enumerate(table.schema):
        if pyarrow.types.is_dictionary(field.type):
            plain = table.column(index).cast(field.type.value_type)
            table = table.set_column(index, field.name, plain)
    check_text(table, file.name)
    return table


def header(file: Path) -> list[str]:
    """The column names alone.

    Raises:
        DataError: as `read`.
    """
    import pyarrow
    from pyarrow import parquet

    _check_size(file)
    try:
        return list(parquet.read_schema(file).names)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(_damaged(file, error)) from None


def _check_size(file: Path) -> None:
    try:
        if not file.stat().st_size:
            raise DataError(Problem(file.name, "is empty"))
    except OSError as error:
        raise DataError(Problem(file.name, f"cannot be read: {error.strerror}")) from None


def _damaged(file: Path, error: Exception) -> Problem:
    if isinstance(error, PermissionError):  # Arrow's own words hold the whole path
        return Problem(file.name, "cannot be read: Permission denied")
    return Problem(file.name, f"is not a whole Parquet file (cut short or damaged): {first_line(error)}")
