"""Tells quotation marks that frame a cell from those that are text, where the two readings give other rows."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence

from tunebook.errors import DataError, Problem

# Up to this share of lines may have another number of cells in a file whose quotation marks are text all the same.
STRAY = 0.05


def check_quotes(
    name: str, text: str, delimiter: str, width: int, spanning: Sequence[tuple[int, int]], rows: int
) -> None:
    """Refuse a file whose rows depend on what its quotation marks mean.

    A cell that begins with a quotation mark runs on to the next one. Where the marks are text, that merges lines
    into one row, and the rows are lost without a word.

    Args:
        name: of the file.
        text: its content.
        delimiter: between cells.
        width: number of columns.
        spanning: first and last line of each row that spans several, by marks as frames; counted from 1.
        rows: their number by marks as frames, without the header.

    Raises:
        DataError: lines that were merged are whole rows each, if the marks are text.
    """
    cells = _cells_a_line(text, delimiter)
    whole = [lines for lines in spanning if all(cells[number - 1] == width for number in range(lines[0], lines[1] + 1))]
    written = [count for count in cells if count]
    stray = sum(count != width for count in written)
    if not whole or stray > STRAY * len(written):
        return
    merged = sum(last - first for first, last in spanning)
    first, last = whole[0]
    message = (
        f"its quotation marks can be read two ways: as frames round cells it has {rows:,} rows (lines {first} to "
        f"{last} are one of them), as text {rows + merged:,} rows; say dataset.quoting=none if they are text, or "
        "dataset.quoting=minimal if they are frames"
    )
    raise DataError(Problem(name, message))


def hint(text: str, delimiter: str) -> str:
    """What may be the matter where the marks as frames do not come out even."""
    counts = [count for count in _cells_a_line(text, delimiter) if count]
    if len(set(counts)) == 1 and counts[0] > 1:
        return f"; as text, quotation marks leave {len(counts):,} lines of {counts[0]} cells: say dataset.quoting=none"
    return "; if quotation marks are text, say dataset.quoting=none"


def _cells_a_line(text: str, delimiter: str) -> list[int]:
    limit = csv.field_size_limit(sys.maxsize)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=csv.QUOTE_NONE)
        return [len(cells) for cells in reader]
    finally:
        csv.field_size_limit(limit)
