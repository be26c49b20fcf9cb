"""Tells quotation marks that frame a cell from those that are text, where the two readings give other rows."""

from __future__ import annotations

import contextlib
import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tunebook.data.reading.text import open_text
from tunebook.errors import DataError, Problem

# Up to this share of lines may have another number of cells in a file whose quotation marks are text all the same.
STRAY = 0.05


def check_quotes(
    file: Path, encoding: str, delimiter: str, width: int, spanning: Sequence[tuple[int, int]], rows: int
) -> None:
    """Refuse a file whose rows depend on what its quotation marks mean.

    A cell that begins with a quotation mark runs on to the next one. Where the marks are text, that merges lines
    into one row, and rows are lost without a message. By marks as frames the file has `rows` rows of `width` cells,
    some of them `spanning` several lines (first and last, from 1). It is refused where such lines are whole rows each
    by marks as text.
    """
    cells = _cells_a_line(file, encoding, delimiter)
    whole = next(((first, last) for first, last in spanning if (cells[first - 1 : last] == width).all()), None)
    written = cells[cells > 0]
    if whole is None or (written != width).sum() > STRAY * len(written):
        return
    merged = sum(last - first for first, last in spanning)
    message = (
        f"its quotation marks can be read two ways: as frames round cells it has {rows:,} rows (lines {whole[0]} to "
        f"{whole[1]} are one of them), as text {rows + merged:,} rows; say dataset.quoting=none if they are text, or "
        "dataset.quoting=minimal if they are frames"
    )
    raise DataError(Problem(file.name, message))


def hint(file: Path, encoding: str, delimiter: str) -> str:
    """What may be the reason where the marks as frames do not come out even."""
    cells = _cells_a_line(file, encoding, delimiter)
    written = cells[cells > 0]
    if len(written) and written[0] > 1 and (written == written[0]).all():
        fix = f"as text, quotation marks leave {len(written):,} lines of {written[0]} cells: say dataset.quoting=none"
    else:
        fix = "if quotation marks are text, say dataset.quoting=none"
    return f"; {fix}"


@contextlib.contextmanager
def long_cells() -> Iterator[None]:
    """Lets a cell be longer than the 131,072 characters that `csv` takes for the sign of an open quotation mark."""
    limit = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _cells_a_line(file: Path, encoding: str, delimiter: str) -> np.ndarray:
    """The number of cells of each line where quotation marks are text; 0 for a blank one."""
    with long_cells(), open_text(file, encoding) as lines:
        reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
        return np.fromiter(map(len, reader), dtype=np.int32)
