"""Reads Parquet files in pieces. Knows pyarrow only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tunebook.data.reading.tables import check_text, first_line
from tunebook.errors import DataError, Problem

if TYPE_CHECKING:
    import pyarrow


def chunks(file: Path, rows: int) -> Iterator[pyarrow.Table]:
    """The table in pieces of so many rows, with categories decoded to their values.

    Raises:
        DataError: damaged, cut short, without rows, or two columns of one name.
    """
    import pyarrow
    from pyarrow import parquet

    schema = schema_of(file)
    try:
        with parquet.ParquetFile(file) as source:
            if not source.metadata.num_rows:
                raise DataError(Problem(file.name, "has columns and no rows"))
            for batch in source.iter_batches(batch_size=rows):
                table = pyarrow.Table.from_batches([batch]).cast(schema)
                check_text(table, file.name)
                yield table
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(_damaged(file, error)) from None


def schema_of(file: Path) -> pyarrow.Schema:
    """Names and types of the columns, of categories those of their values.

    Raises:
        DataError: as `chunks`.
    """
    import pyarrow
    from pyarrow import parquet

    _check_size(file)
    try:
        schema = parquet.read_schema(file)
        names = schema.names
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(_damaged(file, error)) from None
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(Problem(file.name, f"has two columns of one name: {', '.join(map(repr, twice))}"))
    for index, field in enumerate(schema):
        if pyarrow.types.is_dictionary(field.type):
            schema = schema.set(index, field.with_type(field.type.value_type))
    return schema


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
