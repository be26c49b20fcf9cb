"""How figures of previous tasks are written: for the terminal, for pages and for metrics.json. Computes nothing."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from tunebook.reporting.formatting import figure, printed
from tunebook.reporting.summary import RetentionFigure

COLUMNS = ("previous task", "split", "metric", "before", "after", "change")
WIDTH = 110


def cells(figures: list[RetentionFigure]) -> list[tuple[str, ...]]:
    """One row of `COLUMNS` a figure, as text."""
    return [(one.run, one.split, one.metric, figure(one.before), figure(one.after), _signed(one)) for one in figures]


def retention_table(figures: list[RetentionFigure]) -> str:
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
    return printed(table, WIDTH)


def _signed(one: RetentionFigure) -> str:
    rounded = round(one.change, 4)
    return f"{rounded:+.4f}" if rounded else figure(0.0)


def plain(figures: list[RetentionFigure]) -> dict[str, Any]:
    """For metrics.json: run -> split -> metric -> before, after and change."""
    runs: dict[str, Any] = {}
    for one in figures:
        numbers = {"before": one.before, "after": one.after, "change": one.change}
        runs.setdefault(one.run, {}).setdefault(one.split, {})[one.metric] = numbers
    return runs


def read(metrics: dict[str, Any]) -> list[RetentionFigure]:
    """The figures that `plain` wrote, from the metrics.json of a finished run."""
    return [
        RetentionFigure(run=run, split=split, metric=metric, before=numbers["before"], after=numbers["after"])
        for run, splits in metrics.get("retention", {}).items()
        for split, named in splits.items()
        for metric, numbers in named.items()
    ]
