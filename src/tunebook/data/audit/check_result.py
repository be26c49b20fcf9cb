"""What a check of the audit gives: plain values for the table, audit.json and the page. Knows nothing of data.

A check is a file `tunebook/data/audit/checks/NAME.py` (or an entry point `check.NAME`) with one function,
`check(context: AuditContext) -> CheckResult | str`; a text says why it does not apply to these rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from tunebook.panels import Bars, Example, Histogram, Row, Table

__all__ = ["Bars", "CheckResult", "Example", "Histogram", "Level", "Row", "Table"]

Level = Literal["warning", "note", "fine"]
LEVELS: tuple[Level, ...] = ("warning", "note", "fine")


@dataclass(frozen=True)
class CheckResult:
    """The result of one check; tables, plots and examples are for the page.

    Attributes:
        words: one line for the terminal.
        level: `warning` where figures or training will be worse, `note` where one should know, else `fine`.
        numbers: for audit.json; plain values with stable keys.
    """

    words: str
    level: Level = "fine"
    numbers: dict[str, Any] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    plots: list[Bars | Histogram] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)


def histogram(title: str, edges: np.ndarray, values: Mapping[str, np.ndarray], axis: str) -> Histogram:
    """How often values of each split fall between the edges, as shares of the split."""
    series = {split: (np.histogram(part, edges)[0] / len(part)).tolist() for split, part in values.items()}
    return Histogram(title, edges.tolist(), series, axis)


def quoted(name: str, most: int = 40) -> str:
    """A label or a word of the data within a sentence, so that a label such as 3 is not read as a number.

    >>> quoted("3"), quoted("a very long name", most=8)
    ('“3”', '“a very …”')
    """
    return f"“{name if len(name) <= most else name[: most - 1] + '…'}”"


def percent(share: float) -> str:
    """A share in words, never rounded to nothing.

    >>> percent(0.0312), percent(0.00004), percent(0)
    ('3.1 %', 'under 0.1 %', '0 %')
    """
    if 0 < share < 0.001:
        return "under 0.1 %"
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def number(value: float) -> str:
    """A number in at most three digits, with commas in large ones.

    >>> number(12), number(1234.6), number(0.8312)
    ('12', '1,235', '0.831')
    """
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}"
