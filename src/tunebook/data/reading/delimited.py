"""Reads comma- and tab-separated text strictly: every row as long as the header, every quotation mark closed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from tunebook.data.reading.quotes import check_quotes, hint, long_cells
from tunebook.data.reading.text import check_text, open_text, read_text
from tunebook.errors import DataError, Problem

SHOWN = 10
HEAD = 2**20


@dataclass(frozen=True)
class Layout:
    """How a delimited file is laid out: the options of `sources.files`; no column names where a header has them."""

    delimiter: str = ","
    quoting: Literal["auto", "minimal", "none"] = "auto"
    encoding: str = "auto"
    column_names: tuple[str, ...] = ()


class CsvRow(NamedTuple):
    """One row: its cells, and the first and last of its lines, counted from 1."""

    first: int
    last: int
    cells: list[str]


def chunks(file: Path, layout: Layout, rows: int) -> Iterator[dict[str, list[str | None]]]:
    """Columns of text as written, so many rows at once; an empty cell is None.

    Raises:
        DataError: with every ragged row, or what else makes the file unreadable; some of it only at the end.
    """
    encoding = check_text(file, layout.encoding)
    ragged: list[str] = []
    spanning: list[tuple[int, int]] = []
    wrong = count = 0
    with open_text(file, encoding) as lines:
        records_of_file = records(lines, layout)
        try:
            names = names_of(records_of_file, layout, file.name)
            columns: list[list[str | None]] = [[] for _ in names]
            for row in records_of_file:
                if row.last > row.first:
                    spanning.append((row.first, row.last))
                if len(row.cells) != len(names):
                    wrong += 1
                    ragged += [f"{row.first} ({len(row.cells)})"] if len(ragged) < SHOWN else []
                    continue
                if not count and layout.column_names:
                    _refuse_header(file, names, row.cells)
                count += 1
                for column, cell in zip(columns, row.cells, strict=True):
                    column.append(cell or None)
                if not count % rows:
                    yield dict(zip(names, columns, strict=True))
                    columns = [[] for _ in names]
        except csv.Error as error:
            why = "" if layout.quoting == "none" else hint(file, encoding, layout.delimiter)
            raise DataError(Problem(file.name, f"{error}{why}")) from None
    if layout.quoting == "auto" and spanning:
        check_quotes(file, encoding, layout.delimiter, len(names), spanning, count + wrong)
    if ragged:
        raise DataError(_ragged(file, layout, names, ragged, wrong))
    if not count:
        raise DataError(Problem(file.name, "has a header and no rows"))
    if columns[0]:
        yield dict(zip(names, columns, strict=True))


def header(file: Path, layout: Layout) -> list[str]:
    """The column names alone; raises as `chunks` does, where the first line shows it."""
    text = read_text(file, layout.encoding, HEAD)
    try:
        return names_of(records(io.StringIO(text, newline=""), layout), layout, file.name)
    except csv.Error as error:
        raise DataError(Problem(file.name, f"{error}; if quotation marks are text, say dataset.quoting=none")) from None


def records(lines: Iterable[str], layout: Layout) -> Iterator[CsvRow]:
    """Each row but blank lines, of lines that have their line ends; `auto` quoting is read as `minimal`.

    Raises:
        csv.Error: a quotation mark that is not closed, or text after a closed one; with the line.
    """
    quoting: Literal[0, 3] = csv.QUOTE_NONE if layout.quoting == "none" else csv.QUOTE_MINIMAL
    line = 1
    with long_cells():
        try:
            reader = csv.reader(lines, delimiter=layout.delimiter, quoting=quoting, strict=True)
            for cells in reader:
                if cells:
                    yield CsvRow(line, reader.line_num, cells)
                line = reader.line_num + 1
        except csv.Error as error:
            reason = str(error).replace("\t", "\\t")
            raise csv.Error(f"line {line}: {reason}") from None


def names_of(rows: Iterator[CsvRow], layout: Layout, name: str) -> list[str]:
    """The column names: those of the layout, else the first row's, which is taken from `rows`."""
    names = list(layout.column_names or (cell.strip() for cell in next(rows).cells))
    repeated = sorted({column for column in names if names.count(column) > 1})
    if repeated:
        raise DataError(Problem(name, f"has two columns of one name: {', '.join(map(repr, repeated))}"))
    if "" in names:
        place = f"column {names.index('') + 1} of {len(names)}"
        raise DataError(Problem(name, f"has a column without a name: {place}"))
    return names


def _refuse_header(file: Path, names: list[str], cells: list[str]) -> None:
    if [cell.strip().lower() for cell in cells] == [name.lower() for name in names]:
        message = "its first line holds the names that dataset.column_names gives: it has a header line; take them out"
        raise DataError(Problem(file.name, message))


def _ragged(file: Path, layout: Layout, names: list[str], ragged: list[str], count: int) -> Problem:
    shown = ", ".join(ragged) + (", …" if count > SHOWN else "")
    kind = {",": "comma", "\t": "tab"}.get(layout.delimiter, repr(layout.delimiter))
    plural = "s have" if count > 1 else " has"
    message = (
        f"{count} row{plural} another number of cells than the {len(names)} columns, by {kind}: "
        f"line {shown}; quote cells that hold a {kind}, or set dataset.delimiter"
    )
    return Problem(file.name, message)
