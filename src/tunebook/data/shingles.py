"""Cuts texts into shingles, short runs of letters, as numbers; all rows of a block at once. Compares nothing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from tunebook.data.sorting import distinct

LETTERS = 5
"""Letters of a shingle. Runs of letters rather than of words: they suit a phrase of three words as well as a page,
a changed ending costs little, and languages without blanks need nothing of their own. Five is more than most
syllables, so that unrelated long texts share few (Leskovec et al., Mining of Massive Datasets, 3.2.2)."""

LOW, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
"""Two numbers of 32 bits travel in one of 64, which sorts fast: its lower half, and the way to the upper one."""

_OTHER = re.compile(r"[\W_]+")


def _plain(text: str) -> str:
    """A text as its shingles are counted: lower case, words of letters and digits, single blanks."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    lowered = text.lower()
    words = _OTHER.sub(" ", lowered).strip() or lowered.strip()  # ":-)" is a text too
    return f" {words} ".ljust(LETTERS) if words else ""


def shingles(rows: Sequence[tuple[str, ...]]) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of each row's distinct shingles, sorted within it, uint32 as uint64; and where each row ends.

    Two different shingles of a pair of texts share a hash of 32 bits once in some hundred thousand pairs.
    """
    roles = len(rows[0]) if rows else 0
    parts = []
    for role in range(roles):
        plain = [_plain(row[role]) for row in rows]
        lengths = np.fromiter(map(len, plain), dtype=np.int64, count=len(plain))
        codes = np.frombuffer("".join(plain).encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
        if len(codes) < LETTERS:
            continue
        windows = np.full(len(codes) - LETTERS + 1, role, dtype=np.uint64)
        for at in range(LETTERS):
            windows = (windows ^ codes[at : at + len(windows)]) * np.uint64(0xD6E8FEB86659FD93)
            windows ^= windows >> HALF
        row = np.repeat(np.arange(len(plain)), lengths)
        inside = row[: len(windows)] == row[LETTERS - 1 :]
        parts.append((row[: len(windows)][inside].astype(np.uint64) << HALF) | (windows[inside] & LOW))
    keys = distinct(np.concatenate(parts)) if parts else np.empty(0, dtype=np.uint64)
    ends = np.searchsorted(keys, np.arange(1, len(rows) + 1, dtype=np.uint64) << HALF)
    return keys & LOW, ends
