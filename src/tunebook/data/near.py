"""Finds texts that are alike but not the same: MinHash with locality-sensitive hashing, then a true count.

Knows texts and numbers; nothing of splits, roles or what becomes of a finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from datasketch import MinHash
from tqdm.auto import tqdm

from tunebook.data.reading.storage import scratch_array
from tunebook.data.shingles import HALF, LETTERS, LOW, distinct, shingles

Text = str | tuple[str, ...]
Pair = tuple[int, int, float]


class Texts(Protocol):
    """Rows of texts that are read when they are asked for."""

    def __len__(self) -> int: ...

    def read(self, positions: np.ndarray) -> list[tuple[str, ...]]:
        """One tuple a row, a text for each role."""


PERMUTATIONS = 64
RECALL = 0.99
"""Chance with which two texts that are just as similar as asked for become candidates; above that, more."""

NEIGHBOURS = 32
"""A row is compared with so many rows that share a band with it, and with the first such row: else a bucket of n
rows would cost n²/2 comparisons."""

CERTAIN = 0.9
"""Two rows with one and the same signature are at least so similar, but for one pair in a thousand."""

MANY_ROWS = 20_000
READ = 5_000
"""Rows whose texts are read at once."""

GATHERED = 1 << 14
"""Rows whose signatures are looked at at once."""

_BLOCK = 1 << 19
_EMPTY = np.uint32(0xFFFFFFFF)


@dataclass(frozen=True)
class _Source:
    """Texts with their MinHash signatures, (rows, PERMUTATIONS), uint32, and number of distinct shingles, (rows,)."""

    texts: Texts
    signatures: np.ndarray
    sizes: np.ndarray


class Sketches:
    """Rows of texts by their MinHash signatures, which lie outside the memory of the process where they are many.

    Args:
        sources: of the rows.
        positions: of the rows in all sources together.
    """

    def __init__(self, sources: Sequence[_Source], positions: np.ndarray) -> None:
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
        found = np.empty((len(rows), PERMUTATIONS), dtype=np.uint32)
        for source, which, at in self._by_source(rows):
            found[which] = source.signatures[at]
        return found

    def read(self, rows: np.ndarray) -> list[tuple[str, ...]]:
        """The texts of some rows."""
        found: list[tuple[str, ...]] = [()] * len(rows)
        for source, which, at in self._by_source(rows):
            for place, row in zip(which.tolist(), source.texts.read(at), strict=True):
                found[place] = row
        return found

    def _by_source(self, rows: np.ndarray) -> Iterator[tuple[_Source, np.ndarray, np.ndarray]]:
        """Each source with the places in `rows` that it holds, and their positions in it."""
        positions, first = self._positions[rows], 0
        for source in self._sources:
            last = first + len(source.sizes)
            which = np.flatnonzero((positions >= first) & (positions < last))
            if len(which):
                yield source, which, positions[which] - first
            first = last


class _Listed:
    def __init__(self, texts: Sequence[Text]) -> None:
        self._rows = [(text,) if isinstance(text, str) else tuple(text) for text in texts]

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, positions: np.ndarray) -> list[tuple[str, ...]]:
        return [self._rows[at] for at in positions.tolist()]


def sketch(texts: Sequence[Text] | Texts) -> Sketches:
    """Signatures of texts, so that several comparisons need them only once.

    Case, punctuation and width do not count. The signatures are those of `datasketch.MinHash`, for all rows at
    once; its own loop over rows takes four times as long.

    Args:
        texts: a text a row, or a tuple of them where a row has several (text and text_pair).

    Raises:
        DataError: there are many, and the cache that takes their signatures cannot be written.
    """
    read: Texts = _Listed(texts) if isinstance(texts, Sequence) else texts
    signatures = scratch_array((len(read), PERMUTATIONS), np.dtype(np.uint32))
    sizes = np.zeros(len(read), dtype=np.int32)
    factors, offsets = MinHash(num_perm=PERMUTATIONS, seed=1).permutations
    with tqdm(total=len(read), desc="Comparing texts", unit=" rows", disable=len(read) <= MANY_ROWS) as bar:
        for begin in range(0, len(read), READ):
            rows = read.read(np.arange(begin, min(begin + READ, len(read))))
            for first, last in _blocks([sum(map(len, row)) + LETTERS for row in rows]):
                hashes, ends = shingles(rows[first:last])
                block = slice(begin + first, begin + last)
                sizes[block] = np.diff(ends, prepend=0)
                signatures[block] = _signatures(_mixed(hashes), ends, factors, offsets)
                bar.update(last - first)
    return Sketches([_Source(read, signatures, sizes)], np.arange(len(read)))


def alike(texts: Sequence[Text] | Sketches, similarity: float) -> list[Pair]:
    """Each row that is alike an earlier one, with the first such row.

    Args:
        texts: or their `sketch`. Texts that are equal to the letter count as alike, too.
        similarity: Jaccard similarity of the shingles from which on texts are alike, in (0, 1]; of rows with
            several texts, the least similar one counts.

    Returns:
        (earlier position, later position, true similarity), by later position. Of two rows alike,
        one is missed at most in a hundred times.
    """
    sketches = texts if isinstance(texts, Sketches) else sketch(texts)
    return _first_partners(sketches, 0, similarity)


def alike_across(others: Sequence[Text] | Sketches, texts: Sequence[Text] | Sketches, similarity: float) -> list[Pair]:
    """Each row of `texts` that is alike a row of `others`, with the first such row.

    Args:
        others: what is looked in.
        texts: whose rows are looked up.
        similarity: as for `alike`.

    Returns:
        (position in others, position in texts, true similarity), by position in texts.
    """
    left = others if isinstance(others, Sketches) else sketch(others)
    right = texts if isinstance(texts, Sketches) else sketch(texts)
    if not len(left):
        return []
    pairs = _first_partners(left.followed_by(right), len(left), similarity)
    return [(at, later - len(left), true) for at, later, true in pairs]


def _first_partners(sketches: Sketches, others: int, similarity: float) -> list[Pair]:
    """Of each row from `others` on (0: of each row), its first partner before it (before `others`)."""
    # The more rows a band has, the fewer pairs share it by chance: as many as RECALL allows.
    rows = max(r for r in range(1, 17) if r == 1 or 1 - (1 - similarity**r) ** (PERMUTATIONS // r) >= RECALL)
    keys = scratch_array((PERMUTATIONS // rows, len(sketches)), np.dtype(np.uint64))
    for first in range(0, len(sketches), GATHERED):
        part = np.arange(first, min(first + GATHERED, len(sketches)))
        signatures = sketches.signatures(part)
        for band in range(len(keys)):
            keys[band, part] = _band_keys(signatures[:, band * rows : (band + 1) * rows])
    pairs = [pair for band in keys for pair in _candidates(band, sketches, others, similarity)]
    return _first_true(sketches, distinct(np.concatenate(pairs)), similarity) if pairs else []


def _first_true(sketches: Sketches, pairs: np.ndarray, similarity: float) -> list[Pair]:
    """The first candidate of each row that is truly alike; those after it need not be counted out."""
    early, late = (pairs & LOW).astype(np.int64), (pairs >> HALF).astype(np.int64)
    begins = np.flatnonzero(np.diff(late, prepend=-1))
    rank = np.arange(len(late)) - np.repeat(begins, np.diff(begins, append=len(late)))
    found: list[Pair] = []
    done = np.zeros(len(sketches), dtype=bool)
    lowest, many = 0, 1
    while len(late):
        turn = rank < lowest + many
        true = _similarities(sketches, early[turn], late[turn])
        kept = true >= similarity
        partners, rows, true = early[turn][kept], late[turn][kept], true[kept]
        firsts = np.flatnonzero(np.diff(rows, prepend=-1))
        found += zip(partners[firsts].tolist(), rows[firsts].tolist(), true[firsts].tolist(), strict=True)
        done[rows] = True
        left = ~turn & ~done[late]
        early, late, rank = early[left], late[left], rank[left]
        lowest, many = lowest + many, 2 * many
    return sorted(found, key=lambda pair: pair[1])


def _candidates(keys: np.ndarray, sketches: Sketches, others: int, similarity: float) -> Iterator[np.ndarray]:
    """Pairs that share a bucket and whose signatures do not speak against them, as later << 32 | earlier."""
    order = np.argsort(keys, kind="stable")
    order = order[sketches.sizes[order] > 0]
    ordered = keys[order]
    same = ordered[1:] == ordered[:-1]
    shared = np.zeros(len(order), dtype=bool)
    shared[1:] = same
    shared[:-1] |= same
    order, ordered = order[shared], ordered[shared]
    if not len(order):
        return
    begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    lengths = np.diff(begins, append=len(order))
    start = np.repeat(begins, lengths)
    place = np.arange(len(order))
    end = place
    if others:
        # Rows stand in a bucket in their order, so the others come first.
        end = start + np.repeat(np.add.reduceat((order < others).astype(np.int64), begins), lengths)
        place = place[order >= others]
    place = place[end[place] > start[place]]
    for distance in range(NEIGHBOURS + 1):
        # First the bucket's first row, which no other can precede: who is surely alike it needs no more comparisons.
        partner = start[place] if distance == 0 else end[place] - distance
        early, late = order[partner], order[place]
        agree = _agree(sketches, early, late)
        # Four standard deviations of the estimate below what is asked for.
        likely = agree >= similarity - 4 * np.sqrt(similarity * (1 - similarity) / PERMUTATIONS)
        yield (late[likely].astype(np.uint64) << HALF) | early[likely].astype(np.uint64)
        if distance == 0 and similarity <= CERTAIN:
            place = place[agree < 1]
        place = place[end[place] - distance - 1 > start[place]]
        if not len(place):
            return


def _agree(sketches: Sketches, early: np.ndarray, late: np.ndarray) -> np.ndarray:
    """Share of equal entries of two rows' signatures: an estimate of their similarity."""
    agree = np.empty(len(early))
    for first in range(0, len(early), GATHERED):
        part = slice(first, first + GATHERED)
        agree[part] = (sketches.signatures(early[part]) == sketches.signatures(late[part])).mean(axis=1)
    return agree


def _band_keys(columns: np.ndarray) -> np.ndarray:
    """One number for each row's part of the signature."""
    keys = np.zeros(len(columns), dtype=np.uint64)
    for column in columns.T:
        keys = (keys ^ column) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
    return keys


def _similarities(sketches: Sketches, early: np.ndarray, late: np.ndarray) -> np.ndarray:
    """True Jaccard similarity of pairs of rows; of several texts the smallest."""
    least = np.ones(len(early))
    for first, last in _blocks((sketches.sizes[early] + sketches.sizes[late]).tolist()):
        least[first:last] = _jaccard(sketches, early[first:last], late[first:last])
    return least


def _jaccard(sketches: Sketches, early: np.ndarray, late: np.ndarray) -> np.ndarray:
    both = np.concatenate([early, late])
    rows = distinct(both)
    at = np.searchsorted(rows, both)
    texts = sketches.read(rows)
    each = [_jaccard_of([(row[role],) for row in texts], at, len(early)) for role in range(len(texts[0]))]
    return np.asarray(np.min(each, axis=0))


def _jaccard_of(texts: list[tuple[str, ...]], at: np.ndarray, pairs: int) -> np.ndarray:
    """Of one text a row; `at` names the rows of the first texts of all pairs, then those of the second ones."""
    hashes, ends = shingles(texts)
    sizes = np.diff(ends, prepend=0)
    counts = sizes[at]
    # Every pair's two sets behind each other, sorted: what they share stands there twice.
    members = np.repeat(ends[at] - np.cumsum(counts), counts) + np.arange(counts.sum())
    pair = np.repeat(np.tile(np.arange(pairs), 2), counts).astype(np.uint64)
    keys = np.sort(pair << HALF | hashes[members])
    twice = keys[1:][keys[1:] == keys[:-1]] >> HALF
    shared = np.bincount(twice.astype(np.int64), minlength=pairs)
    union = counts[:pairs] + counts[pairs:] - shared
    return np.where(union > 0, shared / np.maximum(union, 1), 1.0)


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


def _blocks(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Runs of rows that together are of a size that stays in memory."""
    first, total = 0, 0
    for at, size in enumerate(sizes):
        total += size
        if total >= _BLOCK:
            yield first, at + 1
            first, total = at + 1, 0
    if first < len(sizes):
        yield first, len(sizes)
