"""What the rows of a source hold, in forms that can be compared; each row is read once for all comparisons."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from datasets import Dataset

from tunebook.data import chunks, fingerprint
from tunebook.data.checks import roles_of
from tunebook.data.cleaning.text import holds_text
from tunebook.data.kinds import as_text
from tunebook.data.reading.storage import scratch_array
from tunebook.data.sketches import Sketches, sketch_rows


class Contents:
    """Digests and sketches by the source's split and row; rows may be removed between two calls.

    `targets` are the roles that the model is to predict, which are no part of a row's input.
    """

    def __init__(self, targets: Collection[str]) -> None:
        self.targets = frozenset(targets)
        self.origins: Mapping[str, str] = {}
        """Split to the source's split that its rows come from, where that is another one."""
        self._digests: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
        self._sketches: dict[str, list[tuple[np.ndarray, Sketches]]] = {}

    def digests(self, name: str, split: Dataset) -> np.ndarray:
        """One SHA-256 a row, (rows, 32), uint8, the same for rows with the same input; of the split or what is left."""
        made = self._digests.setdefault(self.origins.get(name, name), [])

        def some(digests: np.ndarray, at: np.ndarray) -> np.ndarray:
            taken = scratch_array((len(at), digests.shape[1]), digests.dtype)
            return np.take(digests, at, axis=0, out=taken, mode="clip")  # other modes make a copy in memory

        return _remembered(made, split, lambda: fingerprint.inputs(split, self.targets), some)

    def keys(self, name: str, split: Dataset) -> np.ndarray:
        """The digests as numbers, see `fingerprint.keys_of`."""
        return fingerprint.keys_of(self.digests(name, split))

    def sketches(self, name: str, split: Dataset) -> Sketches | None:
        """Sketches of the rows, in their order; None where a role holds no text.

        Tokens count as the text that blanks join them to, messages as the text of all of them. Of images, exact
        copies are found by their bytes, and nothing is reported of pictures that merely look the same, which would
        take a model and a threshold of its own.
        """
        roles = [role for role in roles_of(split) if role not in self.targets]
        if not roles or not all(holds_text(split.features[role]) for role in roles):
            return None
        made = self._sketches.setdefault(self.origins.get(name, name), [])
        reader = chunks.Reader(split, roles)

        def texts(positions: np.ndarray) -> list[tuple[str, ...]]:
            columns = reader.read(positions).columns
            return list(zip(*(map(as_text, column.to_pylist()) for column in columns), strict=True))

        return _remembered(made, split, lambda: sketch_rows(texts, len(split)), lambda all_, at: all_.take(at))


def _remembered(
    made: list[tuple[np.ndarray, Any]], split: Dataset, make: Callable[[], Any], take: Callable[[Any, np.ndarray], Any]
) -> Any:
    """What was made of these rows before, else what is made of them now."""
    rows = chunks.row_numbers(split)
    for known, whole in made:
        if len(known) == len(rows) and (known == rows).all():
            return whole
        at = np.minimum(np.searchsorted(known, rows), len(known) - 1)
        if len(known) and (known[at] == rows).all():
            return take(whole, at)
    whole = make()
    if (np.diff(rows) > 0).all():  # in the source's order, so that they can be searched
        made.append((rows, whole))
    return whole
