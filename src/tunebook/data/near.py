"""Finds texts that are alike but not the same: MinHash with locality-sensitive hashing, then a true count.

Knows texts and numbers; nothing of splits, roles or what becomes of a finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tunebook.data.reading.storage import scratch_array
from tunebook.data.shingles import HALF, LOW, shingles
from tunebook.data.sketches import PERMUTATIONS, Sketches, Text, blocks, sketch
from tunebook.data.sorting import distinct, repeats

Pair = tuple[int, int, float]

RECALL = 0.99
"""Chance with which two texts that are just as similar as asked for become candidates; above that, more."""

NEIGHBOURS = 32
"""A row is compared with so many rows that share a band with it, and with the first such row: else a bucket of n
rows would cost n²/2 comparisons."""

CERTAIN = 0.9
"""Two rows with one and the same signature are at least so similar, but for one pair in a thousand."""

GATHERED = 1 << 14
"""Rows whose signatures are looked at at once."""


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
    return _first_partners(sketch(texts), 0, similarity)


def alike_across(others: Sequence[Text] | Sketches, texts: Sequence[Text] | Sketches, similarity: float) -> list[Pair]:
    """Each row of `texts` that is alike a row of `others`, with the first such row; `similarity` as for `alike`.

    Returns:
        (position in others, position in texts, true similarity), by position in texts.
    """
    left, right = sketch(others), sketch(texts)
    if not len(left):
        return []
    pairs = _first_partners(left.followed_by(right), len(left), similarity)
    return [(at, later - len(left), true) for at, later, true in pairs]


def _first_partners(sketches: Sketches, others: int, similarity: float) -> list[Pair]:
    """Of each row from `others` on (0: of each row), its first partner before it (before `others`)."""
    # The more rows a band has, the fewer pairs share it by chance: as many as RECALL allows.
    rows = max(r for r in range(1, 17) if r == 1 or 1 - (1 - similarity**r) ** (PERMUTATIONS // r) >= RECALL)
    keys = scratch_array((PERMUTATIONS // rows, len(sketches)), np.uint64)
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
    partners_of: list[Pair] = []
    done = np.zeros(len(sketches), dtype=bool)
    lowest, many = 0, 1
    while len(late):
        turn = rank < lowest + many
        true = _similarities(sketches, early[turn], late[turn])
        alike_pairs = true >= similarity
        partners, rows, true = early[turn][alike_pairs], late[turn][alike_pairs], true[alike_pairs]
        firsts = np.flatnonzero(np.diff(rows, prepend=-1))
        partners_of += zip(partners[firsts].tolist(), rows[firsts].tolist(), true[firsts].tolist(), strict=True)
        done[rows] = True
        left = ~turn & ~done[late]
        early, late, rank = early[left], late[left], rank[left]
        lowest, many = lowest + many, 2 * many
    return sorted(partners_of, key=lambda pair: pair[1])


def _candidates(keys: np.ndarray, sketches: Sketches, others: int, similarity: float) -> Iterator[np.ndarray]:
    """Pairs that share a bucket and whose signatures do not speak against them, as later << 32 | earlier."""
    order = np.argsort(keys, kind="stable")
    shared = repeats(keys, order)
    shared[:-1] |= shared[1:]
    order = order[shared]
    order = order[sketches.sizes[order] > 0]
    if not len(order):
        return
    begins = np.flatnonzero(~repeats(keys, order))
    lengths = np.diff(begins, append=len(order))
    start = np.repeat(begins, lengths)
    place = np.arange(len(order))
    end = place
    if others:
        # The rows of a bucket are in their order, so the others come first.
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
    for first, last in blocks((sketches.sizes[early] + sketches.sizes[late]).tolist()):
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
    # Every pair's two sets one after the other, sorted: what they share is there two times.
    members = np.repeat(ends[at] - np.cumsum(counts), counts) + np.arange(counts.sum())
    pair = np.repeat(np.tile(np.arange(pairs), 2), counts).astype(np.uint64)
    keys = np.sort(pair << HALF | hashes[members])
    repeated = keys[1:][keys[1:] == keys[:-1]] >> HALF
    shared = np.bincount(repeated.astype(np.int64), minlength=pairs)
    union = counts[:pairs] + counts[pairs:] - shared
    return np.where(union > 0, shared / np.maximum(union, 1), 1.0)
