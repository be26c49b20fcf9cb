"""What audit and report show: plain values, no behaviour. Knows nothing of data, models or pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """One row of the data, to be shown.

    Args:
        split: that it belongs to; of one that was carved since it was found, in words: 'train (now in validation)'.
        row: its number in the source's split.
        label: in words; "" where there is none.
        text: its texts, or None.
        image: a small copy (`PIL.Image`), or None.
        facts: what else is shown of it, in words: `{"predicted": "spam", "probability": "95.0%"}`; rows with facts are
            shown as a table, and all rows of a panel then have the same ones.
    """

    split: str
    row: int
    label: str = ""
    text: str | None = None
    image: Any = None
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Example:
    """Rows that belong together, shown one below the other: one alone, or one with what it repeats or contradicts."""

    title: str
    rows: list[Row]


@dataclass(frozen=True)
class Bars:
    """A bar for each name and series.

    `names` are groups of bars, from top to bottom; a series is a name (a split) and one value a group; `axis` says what
    the values are.
    """

    title: str
    names: list[str]
    series: dict[str, list[float]]
    axis: str


@dataclass(frozen=True)
class Histogram:
    """How often values fall between `edges`, one more than there are bins.

    A series is a name (a split) and its share of each bin; `axis` says what is counted, and `lines` are values that are
    marked, by name.
    """

    title: str
    edges: list[float]
    series: dict[str, list[float]]
    axis: str
    lines: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Rows of cells; numbers are written as they are, so round them first. An empty `title` is left out.

    So many `text_columns`, from the left, are text; the others are aligned as numbers.
    """

    title: str
    head: list[str]
    rows: list[list[str | int | float]]
    text_columns: int = 1


@dataclass(frozen=True)
class Matrix:
    """How often each row name meets each column name, a confusion matrix.

    `names` are of rows and columns, in order; `counts` are whole numbers, (references, predictions).
    """

    title: str
    names: list[str]
    counts: Any


@dataclass(frozen=True)
class Scatter:
    """Points of references (x) and predictions (y), with the line on which they are equal."""

    title: str
    x: list[float]
    y: list[float]
    axes: tuple[str, str] = ("reference", "prediction")


Plot = Bars | Histogram | Matrix | Scatter


@dataclass(frozen=True)
class Panel:
    """One section of a report.

    Args:
        title: its heading.
        note: what to see in it, one or two sentences; "" where there is none.
        tables: to be shown, in order.
        plots: likewise.
        examples: rows to be shown, the most telling first.
        key: its anchor on the page, a word; "": its number.
    """

    title: str
    note: str = ""
    tables: list[Table] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    key: str = ""
