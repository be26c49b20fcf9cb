"""What the rows of a source hold, in forms that can be compared. Each row is read once, however often it is asked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from datasets import Dataset, Value

from tunebook.data import fingerprint
from tunebook.data.checks import roles_of
from tunebook.data.columns import ROW
from tunebook.data.near import Sketches, sketch


class Contents:
    """Digests and sketches by the source's split and row; rows may be taken away between two questions.

    Args:
        label: the label's role, which is no part of a row's content.
        origins: split to the source's split that its rows come from, where that is another one.
    """

    def __init__(self, label: str | None, origins: Mapping[str, str] | None = None) -> None:
        self.label = label
        self.origins: Mapping[str, str] = origins or {}
        self._digests: dict[str, dict[int, bytes]] = {}
        self._sketches: dict[str, tuple[np.ndarray, Sketches]] = {}

    def digests(self, name: str, split: Dataset) -> list[bytes]:
        """One digest a row, the same for rows with the same input.

        Args:
            name: of the split.
            split: its rows, or what is left of them.
        """
        known = self._digests.setdefault(self.origins.get(name, name), {})
        rows = split[ROW][:]
        new = [at for at, row in enumerate(rows) if row not in known]
        if new:
            found = fingerprint.inputs(split if len(new) == len(split) else split.select(np.asarray(new)), self.label)
            known.update(zip((rows[at] for at in new), found, strict=True))
        return [known[row] for row in rows]

    def sketches(self, name: str, split: Dataset) -> Sketches | None:
        """Sketches of the rows, in their order; None where a role is no text.

        Only rows that are all text can be alike: of images, exact copies are found by their bytes, and nothing is
        said of pictures that merely look the same, for that takes a model and a threshold of its own.
        """
        roles = [role for role in roles_of(split) if role != self.label]
        if not roles or not all(_is_text(split, role) for role in roles):
            return None
        origin, rows = self.origins.get(name, name), np.asarray(split[ROW][:], dtype=np.int64)
        known, sketches = self._sketches.get(origin, (np.empty(0, dtype=np.int64), None))
        if sketches is not None and len(known):
            at = np.minimum(np.searchsorted(known, rows), len(known) - 1)
            if (known[at] == rows).all():
                return sketches.take(at)
        made = sketch(list(zip(*(split[role][:] for role in roles), strict=True)))
        if sketches is None:
            self._sketches[origin] = (rows, made)  # rows are in the source's order, so they can be searched
        return made


def _is_text(split: Dataset, role: str) -> bool:
    feature = split.features[role]
    return isinstance(feature, Value) and feature.dtype in {"string", "large_string"}
