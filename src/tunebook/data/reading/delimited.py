"""Reads comma- and tab-separated text strictly: every row as long as the header, every quotation mark closed."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tunebook.data.reading.text import read_text
from tunebook.errors import DataError, Problem

SHOWN = 10
HEAD = 2**20


@dataclass(frozen=True)
class Layout:
    """How a delimited file is laid out.

    Args:
        delimiter: between the cells, one character.
        literal_quotes: quotation marks are text, not a frame round a cell.
        encoding: of the file.
        column_names: for a file without a header line.
    """

    delimiter: str = ","
    literal_quotes: bool = False
    encoding: str = "utf-8"
    column_names: tuple[str, ...] | None = None


def read(file: Path, layout: Layout) -> dict[str, list[str | None]]:
    """Columns of text as written; an empty cell is None.

    Raises:
        DataError: with every ragged row, or what else keeps the file from being read.
    """
    rows = _rows(file, layout)
    names = _names(file, layout, rows)
    columns: list[list[str | None]] = [[] for _ in names]
    ragged: list[str] = []
    for line, cells in rows:
        if len(cells) != len(names):
            ragged.append(f"{line} ({len(cells)})")
            continue
        for column, cell in zip(columns, cells, strict=True):
            column.append(cell if cell else None)
    if ragged:
        raise DataError(_ragged(file, layout, names, ragged))
    if not columns[0]:
        raise DataError(Problem(file.name, "has a header and no rows"))
    return dict(zip(names, columns, strict=True))


def header(file: Path, layout: Layout) -> list[str]:
    """The column names alone.

    Raises:
        DataError: as `read`, where the first line shows it.
    """
    return _names(file, layout, _rows(file, layout, HEAD))


def _rows(file: Path, layout: Layout, limit: int = -1) -> Iterator[tuple[int, list[str]]]:
    """Each row with its line number (from 1; of its first line where a cell spans several)."""
    text = read_text(file, layout.encoding, limit)
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=layout.delimiter,
        quoting=csv.QUOTE_NONE if layout.literal_quotes else csv.QUOTE_MINIMAL,
        strict=True,
    )
    limit = csv.field_size_limit(sys.maxsize)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        hint = "; if quotation marks are text, say dataset.quoting=none"
        message = f"line {line}: {error}{'' if layout.literal_quotes else hint}"
        raise DataError(Problem(file.name, message)) from None
    finally:
        csv.field_size_limit(limit)


def _names(file: Path, layout: Layout, rows: Iterator[tuple[int, list[str]]]) -> list[str]:
    names = list(layout.column_names) if layout.column_names else [name.strip() for name in next(rows)[1]]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(Problem(file.name, f"has two columns of one name: {', '.join(map(repr, twice))}"))
    if "" in names:
        place = f"column {names.index('') + 1} of {len(names)}"
        raise DataError(Problem(file.name, f"has a column without a name: {place}"))
    return names


def _ragged(file: Path, layout: Layout, names: list[str], ragged: list[str]) -> Problem:
    shown = ", ".join(ragged[:SHOWN]) + (", …" if len(ragged) > SHOWN else "")
    kind = {",": "comma", "\t": "tab"}.get(layout.delimiter, repr(layout.delimiter))
    plural = "s have" if len(ragged) > 1 else " has"
    message = (
        f"{len(ragged)} row{plural} another number of cells than the {len(names)} columns, by {kind}: "
        f"line {shown}; quote cells that hold a {kind}, or set dataset.delimiter"
    )
    return Problem(file.name, message)
