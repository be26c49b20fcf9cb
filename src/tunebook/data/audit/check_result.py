"""What a check of the audit says: plain values for the table, audit.json and the page. Knows nothing of data.

A check is a file `tunebook/data/audit/checks/NAME.py` with one function, `check(context) -> CheckResult | None`; None says
that it does not apply to this kind of data. The file alone makes the check known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Level = Literal["warning", "note", "fine"]
LEVELS: tuple[Level, ...] = ("warning", "note", "fine")


@dataclass(frozen=True)
class Row:
    """One row of the data, to be shown.

    Args:
        split: that it belongs to; of one that was carved since it was found, in words: 'train (now in validation)'.
        row: its number in the source's split.
        label: in words; "" where there is none.
        text: its texts, or None.
        image: a small copy (`PIL.Image`), or None.
    """

    split: str
    row: int
    label: str = ""
    text: str | None = None
    image: Any = None


@dataclass(frozen=True)
class Example:
    """Rows that belong together: one alone, or one with what it repeats or contradicts.

    Args:
        title: what they are an example of.
        rows: to be shown one below the other.
    """

    title: str
    rows: list[Row]


@dataclass(frozen=True)
class Bars:
    """A bar for each name and series.

    Args:
        title: over the plot.
        names: of the groups of bars, from top to bottom.
        series: name (a split) to one value a group.
        axis: what the values are.
    """

    title: str
    names: list[str]
    series: dict[str, list[float]]
    axis: str


@dataclass(frozen=True)
class Histogram:
    """How often values fall between edges, as shares of each series.

    Args:
        title: over the plot.
        edges: of the bins, one more than there are bins.
        series: name (a split) to one share a bin.
        axis: what is counted.
        lines: name to a value that is marked.
    """

    title: str
    edges: list[float]
    series: dict[str, list[float]]
    axis: str
    lines: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Rows of cells; numbers are written as they are, so round them first."""

    title: str
    head: list[str]
    rows: list[list[str | int | float]]


@dataclass(frozen=True)
class CheckResult:
    """What one check found.

    Args:
        words: one line for the terminal.
        level: `warning` where figures or training will suffer, `note` where one should know, else `fine`.
        numbers: for audit.json; plain values with stable keys.
        tables: for the page.
        plots: for the page.
        examples: for the page.
    """

    words: str
    level: Level = "fine"
    numbers: dict[str, Any] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    plots: list[Bars | Histogram] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)


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
