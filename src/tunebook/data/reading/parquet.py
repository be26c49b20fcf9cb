"""Reads Parquet files in pieces. Knows pyarrow only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow
from pyarrow import parquet

from tunebook.data.reading.paths import read_errors
from tunebook.data.reading.tables import check_utf8, first_line
from tunebook.errors import DataError, Problem

UNREADABLE = (pyarrow.ArrowException, OSError, UnicodeDecodeError)


def chunks(file: Path, rows: int) -> Iterator[pyarrow.Table]:
    """The table in pieces of so many rows, with categories decoded to their values.

    Raises:
        DataError: damaged, cut short, without rows, or two columns of one name.
    """
    schema = schema_of(file)
    try:
        with parquet.ParquetFile(file) as source:
            if not source.metadata.num_rows:
                raise DataError(Problem(file.name, "has columns and no rows"))
            for batch in source.iter_batches(batch_size=rows):
                table = pyarrow.Table.from_batches([batch]).cast(schema)
                check_utf8(table, file.name)
                yield table
    except UNREADABLE as error:
        raise DataError(_damaged(file, error)) from None


def schema_of(file: Path) -> pyarrow.Schema:
    """Names and types of the columns, of categories those of their values; raises as `chunks` does."""
    with read_errors(file.name):
        if not file.stat().st_size:
            raise DataError(Problem(file.name, "is empty"))
    try:
        schema = parquet.read_schema(file)
        names = schema.names
    except UNREADABLE as error:
        raise DataError(_damaged(file, error)) from None
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(Problem(file.name, f"has two columns of one name: {', '.join(map(repr, repeated))}"))
    for index, field in enumerate(schema):
        if pyarrow.types.is_dictionary(field.type):
            schema = schema.set(index, field.with_type(field.type.value_type))
    return schema


def check_types(files: Sequence[Path]) -> None:
    """Refuse files whose columns of one name cannot be joined; what is wrong with one file is left to `chunks`."""
    try:
        first, *others = [schema_of(file).remove_metadata() for file in files]
    except DataError:
        return
    problems = []
    for file, schema in zip(files[1:], others, strict=True):
        try:
            pyarrow.unify_schemas([first, schema], promote_options="permissive")
        except pyarrow.ArrowException as error:
            message = f"has columns of other types than {files[0].name}: {first_line(error)}"
            problems.append(Problem(file.name, message))
    if problems:
        raise DataError(problems)


def _damaged(file: Path, error: Exception) -> Problem:
    if isinstance(error, PermissionError):  # Arrow's own words hold the whole path
        return Problem(file.name, "cannot be read: Permission denied")
    return Problem(file.name, f"is not a whole Parquet file (cut short or damaged): {first_line(error)}")
