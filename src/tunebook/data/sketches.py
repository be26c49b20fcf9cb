"""MinHash signatures of rows of texts, outside the memory of the process where they are many. Compares nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from datasketch import MinHash
from tqdm.auto import tqdm

from tunebook.data import chunks
from tunebook.data.reading.storage import scratch_array
from tunebook.data.shingles import LETTERS, shingles

Text = str | tuple[str, ...]

PERMUTATIONS = 64
MANY_ROWS = 20_000
_BLOCK = 1 << 19
_EMPTY = np.uint32(0xFFFFFFFF)


Read = Callable[[np.ndarray], list[tuple[str, ...]]]
"""Reads rows of texts by their positions: one tuple a row, a text for each role."""


@dataclass(frozen=True)
class _Source:
    """Texts with their MinHash signatures, (rows, PERMUTATIONS), uint32, and number of distinct shingles, (rows,)."""

    read: Read
    signatures: np.ndarray
    sizes: np.ndarray


class Sketches:
    """Rows of texts by their MinHash signatures, which are outside the memory of the process where they are many."""

    def __init__(self, sources: Sequence[_Source], positions: np.ndarray) -> None:
        # The positions count the rows of all sources together.
        self._sources, self._positions = tuple(sources), positions
        self.sizes = np.concatenate([source.sizes for source in sources])[positions]

    def __len__(self) -> int:
        return len(self._positions)

    def take(self, positions: Sequence[int] | np.ndarray) -> Sketches:
        """Some of the rows, in the order given."""
        return Sketches(self._sources, self._positions[np.asarray(positions, dtype=np.int64)])

    def followed_by(self, others: Sketches) -> Sketches:
        """These rows and then others."""
        moved = others._positions + sum(len(source.sizes) for source in self._sources)
        return Sketches([*self._sources, *others._sources], np.concatenate([self._positions, moved]))

    def signatures(self, rows: np.ndarray) -> np.ndarray:
        """Of some rows, (rows, PERMUTATIONS), uint32."""
        signatures = np.empty((len(rows), PERMUTATIONS), dtype=np.uint32)
        for source, which, at in self._by_source(rows):
            signatures[which] = source.signatures[at]
        return signatures

    def read(self, rows: np.ndarray) -> list[tuple[str, ...]]:
        """The texts of some rows."""
        texts: list[tuple[str, ...]] = [()] * len(rows)
        for source, which, at in self._by_source(rows):
            for place, row in zip(which.tolist(), source.read(at), strict=True):
                texts[place] = row
        return texts

    def _by_source(self, rows: np.ndarray) -> Iterator[tuple[_Source, np.ndarray, np.ndarray]]:
        """Each source with the places in `rows` that it holds, and their positions in it."""
        positions, first = self._positions[rows], 0
        for source in self._sources:
            last = first + len(source.sizes)
            which = np.flatnonzero((positions >= first) & (positions < last))
            if len(which):
                yield source, which, positions[which] - first
            first = last


def sketch(texts: Sequence[Text] | Sketches) -> Sketches:
    """Signatures of texts, unless they are some already; a row is a text, or a tuple of them where it has several."""
    if isinstance(texts, Sketches):
        return texts
    rows = [(text,) if isinstance(text, str) else tuple(text) for text in texts]
    return sketch_rows(lambda positions: [rows[at] for at in positions.tolist()], len(rows))


def sketch_rows(read: Read, rows: int) -> Sketches:
    """Signatures of so many rows of texts, which several comparisons can use.

    Case, punctuation and width do not count. The signatures are those of `datasketch.MinHash`, for all rows at
    once; its own loop over rows takes four times as long.

    Raises:
        DataError: there are many, and the cache that takes their signatures cannot be written.
    """
    signatures = scratch_array((rows, PERMUTATIONS), np.uint32)
    sizes = np.zeros(rows, dtype=np.int32)
    factors, offsets = MinHash(num_perm=PERMUTATIONS, seed=1).permutations
    with tqdm(total=rows, desc="Comparing texts", unit=" rows", disable=rows <= MANY_ROWS or None) as bar:
        for begin in range(0, rows, chunks.ROWS):
            texts = read(np.arange(begin, min(begin + chunks.ROWS, rows)))
            for first, last in blocks([sum(map(len, row)) + LETTERS for row in texts]):
                hashes, ends = shingles(texts[first:last])
                block = slice(begin + first, begin + last)
                sizes[block] = np.diff(ends, prepend=0)
                signatures[block] = _signatures(_mixed(hashes), ends, factors, offsets)
                bar.update(last - first)
    return Sketches([_Source(read, signatures, sizes)], np.arange(rows))


def _mixed(hashes: np.ndarray) -> np.ndarray:
    """The finalizer of MurmurHash3, which datasketch's scheme puts before its permutations."""
    mixed = hashes.astype(np.uint32)
    mixed ^= mixed >> np.uint32(16)
    mixed *= np.uint32(0x85EBCA6B)
    mixed ^= mixed >> np.uint32(13)
    mixed *= np.uint32(0xC2B2AE35)
    mixed ^= mixed >> np.uint32(16)
    return mixed


def _signatures(mixed: np.ndarray, ends: np.ndarray, factors: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    signatures = np.full((len(ends), PERMUTATIONS), _EMPTY)
    begins = np.concatenate([[0], ends[:-1]])
    there = np.flatnonzero(ends > begins)
    if len(there):
        for column, (factor, offset) in enumerate(zip(factors, offsets, strict=True)):
            signatures[there, column] = np.minimum.reduceat(mixed * factor + offset, begins[there])
    return signatures


def blocks(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Runs of rows that together are of a size that stays in memory."""
    first, total = 0, 0
    for at, size in enumerate(sizes):
        total += size
        if total >= _BLOCK:
            yield first, at + 1
            first, total = at + 1, 0
    if first < len(sizes):
        yield first, len(sizes)
