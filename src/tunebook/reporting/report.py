"""Writes report.html: one page that needs no other file. Shows a RunSummary, computes nothing new."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from tunebook.files import write_text
from tunebook.reporting import retention
from tunebook.reporting.formatting import figure, metric_names, side_by_side
from tunebook.reporting.pages import rendered
from tunebook.reporting.summary import RunSummary


def write_report(path: str | Path, summary: RunSummary) -> None:
    """Writes the page of a finished run; it appears whole or not at all."""
    write_text(Path(path), render(summary))


def render(summary: RunSummary) -> str:
    """The page as text. Everything that comes from data, recipe or machine is escaped."""
    from tunebook.reporting.plots import learning_curve  # matplotlib: not before training

    return rendered(
        "report.html.jinja",
        title=f"{summary.recipe_name} · {summary.run_name}",
        run=summary,
        metric_names=metric_names(summary.metrics),
        headline=_headline(summary),
        # Markup: the picture is ours.
        curve=Markup(learning_curve(summary.history, summary.monitor)),
        retention=retention.cells(summary.retention),
        columns=side_by_side(summary.metrics, summary.untuned),
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
