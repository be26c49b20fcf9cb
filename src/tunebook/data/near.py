"""Finds texts that are alike but not the same: MinHash with locality-sensitive hashing, then a true count.

Knows texts and numbers; nothing of splits, roles or what becomes of a finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from datasketch import MinHash
from tqdm.auto import tqdm

from tunebook.data.shingles import HALF, LETTERS, LOW, distinct, shingles

Text = str | tuple[str, ...]
Pair = tuple[int, int, float]

PERMUTATIONS = 64
RECALL = 0.99
"""Chance with which two texts that are just as similar as asked for become candidates; above that, more."""

NEIGHBOURS = 32
"""A row is compared with so many rows that share a band with it, and with the first such row: else a bucket of n
rows would cost n²/2 comparisons."""

CERTAIN = 0.9
"""Two rows with one and the same signature are at least so similar, but for one pair in a thousand."""

MANY_ROWS = 20_000
_BLOCK = 1 << 19
_EMPTY = np.uint32(0xFFFFFFFF)


@dataclass(frozen=True)
class Sketches:
    """Texts with their MinHash signatures.

    Args:
        texts: one tuple a row, a text for each role.
        signatures: (rows, PERMUTATIONS), uint32.
        sizes: (rows,) number of distinct shingles; 0 for rows without any text.
    """

    texts: list[tuple[str, ...]]
    signatures: np.ndarray
    sizes: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, positions: Sequence[int] | np.ndarray) -> Sketches:
        """Some of the rows, in the order given."""
        chosen = np.asarray(positions, dtype=np.int64)
        texts = [self.texts[at] for at in chosen.tolist()]
        return Sketches(texts, self.signatures[chosen], self.sizes[chosen])


def sketch(texts: Sequence[Text]) -> Sketches:
    """Signatures of texts, so that several comparisons need them only once.

    Case, punctuation and width do not count. The signatures are those of `datasketch.MinHash`, for all rows at
    once; its own loop over rows takes four times as long.

    Args:
        texts: a text a row, or a tuple of them where a row has several (text and text_pair).
    """
    rows = [(text,) if isinstance(text, str) else tuple(text) for text in texts]
    signatures = np.full((len(rows), PERMUTATIONS), _EMPTY)
    sizes = np.zeros(len(rows), dtype=np.int64)
    factors, offsets = MinHash(num_perm=PERMUTATIONS, seed=1).permutations
    with tqdm(total=len(rows), desc="Comparing texts", unit=" rows", disable=len(rows) <= MANY_ROWS) as bar:
        for first, last in _blocks([sum(map(len, row)) + LETTERS for row in rows]):
            hashes, ends = shingles(rows[first:last])
            sizes[first:last] = np.diff(ends, prepend=0)
            _fill(signatures[first:last], _mixed(hashes), ends, factors, offsets)
            bar.update(last - first)
    return Sketches(rows, signatures, sizes)


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
    signatures = np.concatenate([left.signatures, right.signatures])
    both = Sketches(left.texts + right.texts, signatures, np.concatenate([left.sizes, right.sizes]))
    return [(at, later - len(left), found) for at, later, found in _first_partners(both, len(left), similarity)]


def _first_partners(sketches: Sketches, others: int, similarity: float) -> list[Pair]:
    """Of each row from `others` on (0: of each row), its first partner before it (before `others`)."""
    # The more rows a band has, the fewer pairs share it by chance: as many as RECALL allows.
    rows = max(r for r in range(1, 17) if r == 1 or 1 - (1 - similarity**r) ** (PERMUTATIONS // r) >= RECALL)
    found = []
    for band in range(PERMUTATIONS // rows):
        keys = _band_keys(sketches.signatures[:, band * rows : (band + 1) * rows])
        found += list(_candidates(keys, sketches, others, similarity))
    if not found:
        return []
    return _first_true(sketches, distinct(np.concatenate(found)), similarity)


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
    if not len(order):
        return
    ordered = keys[order]
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
        agree = _agree(sketches.signatures, early, late)
        # Four standard deviations of the estimate below what is asked for.
        likely = agree >= similarity - 4 * np.sqrt(similarity * (1 - similarity) / PERMUTATIONS)
        yield (late[likely].astype(np.uint64) << HALF) | early[likely].astype(np.uint64)
        if distance == 0 and similarity <= CERTAIN:
            place = place[agree < 1]
        place = place[end[place] - distance - 1 > start[place]]
        if not len(place):
            return


def _agree(signatures: np.ndarray, early: np.ndarray, late: np.ndarray) -> np.ndarray:
    """Share of equal entries of two rows' signatures: an estimate of their similarity."""
    agree = np.empty(len(early))
    for first in range(0, len(early), 1 << 15):
        part = slice(first, first + (1 << 15))
        agree[part] = (signatures[early[part]] == signatures[late[part]]).mean(axis=1)
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
    for role in range(len(sketches.texts[0])):
        for first, last in _blocks((sketches.sizes[early] + sketches.sizes[late]).tolist()):
            pairs = slice(first, last)
            least[pairs] = np.minimum(least[pairs], _jaccard(sketches, role, early[pairs], late[pairs]))
    return least


def _jaccard(sketches: Sketches, role: int, early: np.ndarray, late: np.ndarray) -> np.ndarray:
    both = np.concatenate([early, late])
    rows = distinct(both)
    at = np.searchsorted(rows, both)
    hashes, ends = shingles([(sketches.texts[row][role],) for row in rows.tolist()])
    sizes = np.diff(ends, prepend=0)
    counts = sizes[at]
    # Every pair's two sets behind each other, sorted: what they share stands there twice.
    members = np.repeat(ends[at] - np.cumsum(counts), counts) + np.arange(counts.sum())
    pair = np.repeat(np.tile(np.arange(len(early)), 2), counts).astype(np.uint64)
    keys = np.sort(pair << HALF | hashes[members])
    twice = keys[1:][keys[1:] == keys[:-1]] >> HALF
    shared = np.bincount(twice.astype(np.int64), minlength=len(early))
    union = counts[: len(early)] + counts[len(early) :] - shared
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


def _fill(
    signatures: np.ndarray, mixed: np.ndarray, ends: np.ndarray, factors: np.ndarray, offsets: np.ndarray
) -> None:
    begins = np.concatenate([[0], ends[:-1]])
    there = np.flatnonzero(ends > begins)
    if not len(there):
        return
    for column, (factor, offset) in enumerate(zip(factors, offsets, strict=True)):
        signatures[there, column] = np.minimum.reduceat(mixed * factor + offset, begins[there])


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
