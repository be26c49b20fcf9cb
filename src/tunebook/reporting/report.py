"""Writes report.html: one page that needs nothing beside it. Lays out a RunSummary, computes nothing new."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from tunebook.files import write_text
from tunebook.reporting import kept, plots
from tunebook.reporting.formatting import figure, metric_names, side_by_side
from tunebook.reporting.pages import inline, rendered, shortened
from tunebook.reporting.summary import RunSummary

MOST_MISTAKES = 10


def write_report(path: str | Path, summary: RunSummary) -> None:
    """Writes the page; it appears whole or not at all.

    Args:
        path: the file, as a rule `report.html` in the run directory.
        summary: the finished run.
    """
    write_text(Path(path), render(summary))


def render(summary: RunSummary) -> str:
    """The page as text. Everything that comes from data, recipe or machine is escaped."""
    return rendered(
        "report.html.jinja",
        run=summary,
        metric_names=metric_names(summary.metrics),
        headline=_headline(summary),
        # Markup: the figures are ours, and plots.py has escaped the names inside.
        curve=Markup(plots.learning_curve(summary.history, summary.monitor)),
        confusion=Markup(plots.confusion(*summary.confusion, summary.label_names)) if summary.confusion else "",
        scatter=Markup(plots.scatter(*summary.scatter)) if summary.scatter else "",
        kept=kept.cells(summary.kept),
        columns=side_by_side(summary.metrics, summary.untuned),
        mistakes=_mistakes(summary),
    )


def _headline(summary: RunSummary) -> list[tuple[str, str, str]]:
    """(split, metric, value) of the number that matters, for each evaluated split, test first."""
    wanted = summary.monitor.removeprefix("eval_")
    shown = []
    for split in sorted(summary.metrics, key=lambda name: name != "test"):
        numbers = summary.metrics[split]
        name = wanted if wanted in numbers else next(iter(metric_names({split: numbers})), "")
        if name:
            shown.append((split, name, figure(numbers[name])))
    return shown


def _mistakes(summary: RunSummary) -> list[dict[str, Any]]:
    worst = sorted(summary.mistakes, key=lambda mistake: -abs(mistake.measure))[:MOST_MISTAKES]
    return [
        {
            "row": mistake.row,
            "label": mistake.label,
            "predicted": mistake.predicted,
            "measure": _measured(summary.measure, mistake.measure),
            "text": shortened(mistake.text),
            "image": inline(mistake.image) if mistake.image is not None else None,
        }
        for mistake in worst
    ]


def _measured(what: str, value: float) -> str:
    if what == "probability":
        return f"{value:.1%}"
    return f"{value:+.4g}" if what == "error" else figure(value)
