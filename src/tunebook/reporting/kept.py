"""How figures of previous tasks are written: for the terminal, for pages and for metrics.json. Computes nothing."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tunebook.reporting.formatting import figure
from tunebook.reporting.summary import KeptFigure

COLUMNS = ("previous task", "split", "metric", "before", "after", "change")
WIDTH = 110


def cells(figures: list[KeptFigure]) -> list[tuple[str, ...]]:
    """One row of `COLUMNS` a figure, as text."""
    return [(one.run, one.split, one.metric, figure(one.before), figure(one.after), _signed(one)) for one in figures]


def kept_table(figures: list[KeptFigure]) -> str:
    """The table on the terminal: previous tasks on this run's backbone, before training and after it."""
    table = Table(title="Previous tasks, under their own heads on this run's backbone", title_justify="left")
    for name in COLUMNS:
        number = name in {"before", "after", "change"}
        table.add_column(Text(name), justify="right" if number else "left", overflow="fold", no_wrap=number)
    last: tuple[str, str] | None = None
    for run, split, *rest in cells(figures):
        again = last is not None and last[0] == run
        table.add_row(*map(Text, ("" if again else run, "" if last == (run, split) else split, *rest)))
        last = (run, split)
    buffer = io.StringIO()
    Console(file=buffer, width=WIDTH, highlight=False).print(table)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())


def _signed(one: KeptFigure) -> str:
    rounded = round(one.change, 4)
    return f"{rounded:+.4f}" if rounded else figure(0.0)


def plain(figures: list[KeptFigure]) -> dict[str, Any]:
    """For metrics.json: run -> split -> metric -> before, after and change."""
    found: dict[str, Any] = {}
    for one in figures:
        numbers = {"before": one.before, "after": one.after, "change": one.change}
        found.setdefault(one.run, {}).setdefault(one.split, {})[one.metric] = numbers
    return found


def read(metrics: dict[str, Any]) -> list[KeptFigure]:
    """What `plain` made, from the metrics.json of a finished run."""
    return [
        KeptFigure(run=run, split=split, metric=metric, before=numbers["before"], after=numbers["after"])
        for run, splits in metrics.get("kept", {}).items()
        for split, named in splits.items()
        for metric, numbers in named.items()
    ]
