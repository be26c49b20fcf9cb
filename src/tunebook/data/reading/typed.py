"""Gives columns their types: text that is all numbers becomes numbers. Knows no file format."""

from __future__ import annotations

import math
import re
from typing import Any

_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_NO_NUMBER = {"nan", "na", "n/a", "null", "none"}


def from_text(cells: list[str | None]) -> list[Any]:
    """Whole numbers, numbers or text, whichever fits every cell that is not empty.

    A cell like `NaN` beside numbers is missing; beside other text it is text. `007` is text.
    """
    given = [cell.strip() for cell in cells if cell is not None]
    numbers = [cell for cell in given if cell.lower() not in _NO_NUMBER]
    if not numbers or not all(_NUMBER.fullmatch(cell) for cell in numbers):
        return cells
    if all(_WHOLE.fullmatch(cell) for cell in numbers):
        return [_number(cell, int) for cell in cells]
    if any(re.match(r"[-+]?0[0-9]", cell) for cell in numbers) or all(cell.isdigit() for cell in numbers):
        return cells
    return [_number(cell, float) for cell in cells]


def _number(cell: str | None, kind: type) -> Any:
    return None if cell is None or cell.strip().lower() in _NO_NUMBER else kind(cell)


def kind_of(value: Any) -> str:
    """'missing', 'true/false', 'whole number', 'number', 'text' or the name of another type."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "missing"
    names = {bool: "true/false", int: "whole number", float: "number", str: "text", dict: "object"}
    return names.get(type(value), type(value).__name__)
