"""Reads columns of a split piece by piece, as Arrow stores them: nothing is decoded. Knows no column's meaning.

`datasets` reads a split that is a selection of rows one row at a time (5 µs each, 2026-11); a piece here is one slice
of the table or one `take`, which is some fifty times as fast.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow
from datasets import Dataset

from tunebook.data.columns import ROW
from tunebook.data.reading.storage import scratch_array

ROWS = 5_000
"""Rows of a piece."""

FILE_ROWS = 64
"""Rows of images or sounds in a piece."""

SPARSE = 20
"""A piece whose rows are spread over more than so many times its number is gathered row by row."""


class Reader:
    """Some columns of a split, read by the positions of rows."""

    def __init__(self, split: Dataset, columns: Sequence[str]) -> None:
        self._data = split.data.select(list(columns))
        # There is no public way to the rows that a selection stands for.
        self._indices = split._indices

    def read(self, positions: np.ndarray) -> pyarrow.Table:
        """The rows at these positions, in this order."""
        positions = positions.astype(np.int64)
        if self._indices is not None and len(positions):
            if _is_run(positions):
                positions = self._indices.fast_slice(int(positions[0]), len(positions)).column(0).to_numpy()
            else:
                positions = self._indices.column(0).to_numpy()[positions]
            positions = positions.astype(np.int64)
        if not len(positions):
            return self._data.fast_slice(0, 0)
        low, high = int(positions.min()), int(positions.max())
        if high - low > SPARSE * len(positions):
            return self._data.fast_gather(positions)
        piece = self._data.fast_slice(low, high - low + 1)
        return piece if _is_run(positions) else piece.combine_chunks().take(pyarrow.array(positions - low))


def _is_run(positions: np.ndarray) -> bool:
    return bool((np.diff(positions) == 1).all())


def tables(split: Dataset, columns: Sequence[str], rows: int = ROWS) -> Iterator[pyarrow.Table]:
    """Some columns, `rows` rows at a time; few where values are large."""
    reader = Reader(split, columns)
    for first in range(0, len(split), rows):
        yield reader.read(np.arange(first, min(first + rows, len(split))))


def column(split: Dataset, name: str) -> np.ndarray:
    """A whole column of numbers, (rows,); None is NaN."""
    pieces = [table.column(0).to_numpy() for table in tables(split, [name], 20 * ROWS)]
    return np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int64)


def row_numbers(split: Dataset) -> np.ndarray:
    """The number of each row in its source, (rows,), int64; many of them are outside the memory of the process."""
    numbers, first = scratch_array((len(split),), np.int64), 0
    for table in tables(split, [ROW]):
        numbers[first : first + len(table)] = table.column(0).to_numpy()
        first += len(table)
    return numbers


def values(split: Dataset, name: str, rows: int = ROWS) -> Iterator[tuple[int, list[Any]]]:
    """A column in pieces: the position of its first row, and the values."""
    first = 0
    for table in tables(split, [name], rows):
        yield first, table.column(0).to_pylist()
        first += len(table)
