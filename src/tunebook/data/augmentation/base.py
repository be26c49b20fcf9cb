"""What an augmentation is. Knows role columns and row keys, nothing of models, tasks or the Trainer.

A method is a file `tunebook/data/augmentation/NAME.py` (or an entry point `augmentation.NAME`) with `Options`,
`ROLES` (the roles that it varies: a task must have one of them) and `Augmentation`.
"""

from __future__ import annotations

from typing import Any, Protocol

from tunebook.config.options import Options
from tunebook.data.row_key import RowKey


class AugmentationOptions(Options):
    """The base of a method's own settings."""


class Augmentation(Protocol):
    """Varies training rows before they are encoded; built as `Augmentation(options, seed)`.

    Attributes:
        active: False: rows stay as they are, and are encoded once instead of in every epoch.
    """

    active: bool

    def apply(self, rows: dict[str, list[Any]], keys: list[RowKey]) -> dict[str, list[Any]]:
        """The role columns of some rows, varied; each row by (seed, its key) alone.

        Args:
            rows: role (`text`, `text_pair`, `image`) to values; images are PIL's. Not changed in place.
            keys: of the rows, in the same order.
        """
