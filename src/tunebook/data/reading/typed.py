"""Gives columns their types: text that is all numbers becomes numbers. Knows no file format."""

from __future__ import annotations

import math
import re
from typing import Any

_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_ZEROS = re.compile(r"[-+]?0[0-9]")
_NO_NUMBER = {"nan", "na", "n/a", "null", "none"}


class CellType:
    """Which type fits every cell of a column of text, learned chunk by chunk: whole numbers, numbers or text.

    A cell like `NaN` is missing among numbers and text among texts. `007` is text.
    """

    def __init__(self) -> None:
        self.empty = True
        self._only_numbers = self._whole = self._digits = True
        self._numbers = self._zeros = False

    def add(self, cells: list[str | None]) -> None:
        """Take more cells into account; None is an empty one."""
        self.empty = self.empty and all(cell is None for cell in cells)
        if not self._only_numbers:
            return
        for cell in {cell.strip() for cell in cells if cell is not None}:
            if cell.lower() in _NO_NUMBER:
                continue
            if not _NUMBER.fullmatch(cell):
                self._only_numbers = False
                return
            self._numbers = True
            self._whole = self._whole and bool(_WHOLE.fullmatch(cell))
            self._zeros = self._zeros or bool(_ZEROS.match(cell))
            self._digits = self._digits and cell.isdigit()

    @property
    def kind(self) -> type | None:
        """int, float, or None for text."""
        if not (self._numbers and self._only_numbers):
            return None
        if self._whole:
            return int
        return None if self._zeros or self._digits else float


def numbers(cells: list[str | None], kind: type) -> list[Any]:
    """Cells of text as numbers; None where one is missing."""
    return [None if cell is None or cell.strip().lower() in _NO_NUMBER else kind(cell) for cell in cells]


def kind_of(value: Any) -> str:
    """'missing', 'true/false', 'whole number', 'number', 'text' or the name of another type."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "missing"
    names = {bool: "true/false", int: "whole number", float: "number", str: "text", dict: "object"}
    return names.get(type(value), type(value).__name__)
