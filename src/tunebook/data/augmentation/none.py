"""Training rows as they are."""

from __future__ import annotations

from typing import Any

from tunebook.config.options import Options as BaseOptions
from tunebook.data.row_key import RowKey

ROLES: set[str] = set()


class Options(BaseOptions):
    """Nothing to set."""


class Augmentation:
    """Nothing."""

    active = False

    def __init__(self, options: Options, seed: int) -> None:
        self.options = options

    def apply(self, rows: dict[str, list[Any]], keys: list[RowKey]) -> dict[str, list[Any]]:
        """The rows themselves."""
        return rows
