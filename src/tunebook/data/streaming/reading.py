"""Rows of one delimited, JSON Lines or Parquet file, lazily and strictly. Knows no role and no source."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

from tunebook.data.reading import delimited, json_rows, parquet
from tunebook.data.streaming.lines import lines
from tunebook.data.streaming.reader import Raw
from tunebook.errors import DataError, Problem

BATCH = 1000
"""Rows of a Parquet file that are turned into Python values at once."""


def rows_of_delimited(file: Path, layout: delimited.Layout) -> Iterator[Raw]:
    """Rows of text as written; an empty cell is None.

    Raises:
        DataError: at a line with too many or too few cells, or with a quotation mark that is never closed; with
            quoting `auto` at a row of several lines, as only the whole file would tell what its marks mean.
    """
    # Left raised: a file that is read lazily never knows whether another one is being read.
    csv.field_size_limit(sys.maxsize)
    records = delimited.records(lines(file, layout.encoding, newline=""), layout, file.name)
    try:
        names = delimited.names_of(records, layout, file.name)
        for record in records:
            if layout.quoting == "auto" and record.last > record.first:
                raise DataError(_spanning(file, record))
            if len(record.cells) != len(names):
                raise DataError(_ragged(file, layout, record, len(names)))
            values = {name: cell or None for name, cell in zip(names, record.cells, strict=True)}
            yield Raw(values, f"{file.name}, line {record.first}")
    except csv.Error as error:
        hint = "" if layout.quoting == "none" else "; if quotation marks are text, say dataset.quoting=none"
        raise DataError(Problem(file.name, f"{error}{hint}")) from None


def rows_of_json(file: Path, encoding: str) -> Iterator[Raw]:
    """The objects of JSON Lines.

    Raises:
        DataError: at a line that is no JSON object; a file that is one document.
    """
    first = True
    # Only \n ends a line: JSON allows U+2028 inside text.
    for line, values in json_rows.lines_of(lines(file, encoding, newline="\n")):
        if isinstance(values, dict):
            yield Raw(values, f"{file.name}, {line}")
            first = False
            continue
        why = str(values) if isinstance(values, json_rows.Broken) else "is not an object"
        hint = "; streaming takes JSON Lines, one object a line, and no array of them" if first else ""
        raise DataError(Problem(file.name, f"{line} {why}{hint}"))


def rows_of_parquet(file: Path, columns: list[str]) -> Iterator[Raw]:
    """Rows of a Parquet file, of some columns; memory is that of its largest row group.

    Raises:
        DataError: damaged or cut short.
    """
    import pyarrow
    from pyarrow.parquet import ParquetFile

    there = parquet.header(file)
    number = 0
    try:
        with ParquetFile(file) as source:
            for batch in source.iter_batches(BATCH, columns=[name for name in columns if name in there]):
                for values in batch.to_pylist():
                    yield Raw(values, f"{file.name}, row {number}")
                    number += 1
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        message = f"cannot be read after row {number} (cut short or damaged): {str(error).splitlines()[0]}"
        raise DataError(Problem(file.name, message)) from None


def _ragged(file: Path, layout: delimited.Layout, record: delimited.Record, names: int) -> Problem:
    kind = {",": "comma", "\t": "tab"}.get(layout.delimiter, repr(layout.delimiter))
    cells = len(record.cells)
    message = (
        f"line {record.first} has {cells} cell{'s' if cells > 1 else ''}, and there are {names} columns, by {kind}; "
        f"quote cells that hold a {kind}, or set dataset.delimiter"
    )
    return Problem(file.name, message)


def _spanning(file: Path, record: delimited.Record) -> Problem:
    message = (
        f"lines {record.first} to {record.last} are one row, if its quotation marks frame a cell: say "
        "dataset.quoting=minimal if they do, or dataset.quoting=none if they are text"
    )
    return Problem(file.name, message)
