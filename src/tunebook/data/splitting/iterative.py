"""Takes rows so that every split has each label by its share, where a row may have several. Knows 0 and 1 only."""

from __future__ import annotations

import numpy as np


class Iterative:
    """Iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011, On the stratification of multi-label data).

    `labels` are 0 or 1 of each label of the training rows, (rows, labels).
    """

    def __init__(self, labels: np.ndarray, seed: int) -> None:
        self.labels, self.seed = labels, seed

    def divided(self, left: np.ndarray, size: int, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The rest and `size` of the rows, all where there are not more."""
        if size >= len(left):
            return left[:0], left
        parts = stratified(self.labels[left], [len(left) - size, size], self.seed)
        return left[parts == 0], left[parts == 1]

    def folds(self, left: np.ndarray, count: int) -> np.ndarray:
        """Folds of sizes that differ by one row at most."""
        sizes = [len(left) // count + (fold < len(left) % count) for fold in range(count)]
        return stratified(self.labels[left], sizes, self.seed)


def stratified(labels: np.ndarray, sizes: list[int], seed: int) -> np.ndarray:
    """The number of the part that each row goes to, (rows,), from 0.

    The label with the fewest rows left is assigned first, each of its rows to the part that lacks most of that
    label, then most rows. Unlike in the paper a full part takes no more rows, so that the sizes are exact.

    Args:
        labels: (rows, labels) of 0 and 1.
        sizes: rows of each part; their sum is the number of rows.
        seed: breaks ties.
    """
    rng = np.random.default_rng(seed)
    parts = np.full(len(labels), -1, dtype=np.int64)
    room = np.asarray(sizes, dtype=np.int64)
    lacking = np.outer(room / max(1, room.sum()), labels.sum(axis=0))  # (parts, labels)
    order = rng.permutation(len(labels))
    remaining = labels.sum(axis=0).astype(np.int64)
    while (remaining > 0).any():
        rarest = int(np.argmin(np.where(remaining > 0, remaining, np.iinfo(np.int64).max)))
        for row in order[(labels[order, rarest] == 1) & (parts[order] < 0)].tolist():
            part = _neediest(lacking[:, rarest], room, rng)
            parts[row] = part
            room[part] -= 1
            lacking[part] -= labels[row]
            remaining -= labels[row]
    bare = order[parts[order] < 0]  # rows without any label fill up what is left
    parts[bare] = np.repeat(np.arange(len(room)), room)[rng.permutation(len(bare))]
    return parts


def _neediest(lacking: np.ndarray, room: np.ndarray, rng: np.random.Generator) -> int:
    score = np.where(room > 0, lacking, -np.inf)
    best = np.flatnonzero(score >= score.max() - 1e-9)
    if len(best) > 1:
        best = best[room[best] == room[best].max()]
    return int(best[0] if len(best) == 1 else rng.choice(best))
