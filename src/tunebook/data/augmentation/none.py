"""Training rows as they are."""

from __future__ import annotations

from typing import Any

from tunebook.data.augmentation.base import AugmentationOptions, Mix, Mixed
from tunebook.data.row_key import RowKey

ROLES: set[str] = set()


class Options(AugmentationOptions):
    """Nothing to set."""


class Augmentation:
    """Nothing."""

    active = False
    mixes: Mixed | None = None

    def __init__(self, options: AugmentationOptions, seed: int) -> None:
        self.options = options

    def apply(self, rows: dict[str, list[Any]], keys: list[RowKey]) -> dict[str, list[Any]]:
        """The rows themselves."""
        return rows

    def mix(self, keys: list[RowKey], rows: int) -> list[Mix | None]:
        """No row with any other."""
        return [None for _ in keys]
