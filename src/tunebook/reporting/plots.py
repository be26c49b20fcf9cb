"""Draws the plots of panels and the learning curve as SVG text; knows nothing of the pages they are shown on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tunebook.panels import Bars, Histogram, Matrix, Plot, Scatter
from tunebook.reporting.svg import BLUE, GREEN, INK, ORANGE, short, svg

MOST_POINTS = 2000
COLOURS = {"train": BLUE, "validation": GREEN, "test": ORANGE}
# Bars and histograms take half a page, so that two fit next to each other with letters of their full size.
HALF_PAGE = 4.7


def draw(plot: Plot, prefix: str) -> str:
    """One `<svg>` element; `prefix` is of its ids, so that several pictures can share a page."""
    if isinstance(plot, Bars):
        height = 1.3 + len(plot.names) * max(0.26, 0.16 * len(plot.series))
        return svg(lambda figure: _bars(figure, plot), (HALF_PAGE, height), prefix)
    if isinstance(plot, Histogram):
        return svg(lambda figure: _histogram(figure, plot), (HALF_PAGE, 3.0), prefix)
    if isinstance(plot, Scatter):
        return svg(lambda figure: _scatter(figure, plot), (5.2, 5.0), prefix)
    size = len(plot.names)
    side = max(2.4, (0.62 if size <= 12 else 0.33) * size)
    margin = 0.085 * max((len(short(name)) for name in plot.names), default=0) + 0.7
    return svg(lambda figure: _matrix(figure, plot), (side + margin, side + margin), prefix)


def learning_curve(history: Sequence[dict[str, Any]], monitor: str = "") -> str:
    """Training and evaluation loss by step and, next to them, the monitored metric.

    Args:
        history: the Trainer's log (`log_history`): keys step, loss, eval_loss, eval_<metric>.
        monitor: name of the metric, with or without 'eval_'; "" or 'loss' draws the losses alone.

    Returns:
        One `<svg>` element.
    """
    metric = "eval_" + monitor.removeprefix("eval_")
    second = metric != "eval_loss" and any(metric in entry for entry in history)

    def draw_curves(figure: Figure) -> None:
        axes = figure.subplots(1, 2 if second else 1, squeeze=False)[0]
        _lines(axes[0], history, {"loss": ("training", BLUE), "eval_loss": ("evaluation", ORANGE)}, "loss")
        if second:
            _lines(axes[1], history, {metric: (metric.removeprefix("eval_"), ORANGE)}, metric[5:])

    return svg(draw_curves, (9.0 if second else 6.0, 3.2), "curve")


def _lines(axes: Axes, history: Sequence[dict[str, Any]], lines: dict[str, tuple[str, str]], what: str) -> None:
    for key, (label, colour) in lines.items():
        points = [(entry["step"], entry[key]) for entry in history if key in entry and "step" in entry]
        # Training steps are many and need no marks; evaluations are few and each one counts.
        marker = "o" if key.startswith("eval_") or len(points) < 3 else ""
        if points:
            steps, values = zip(*points, strict=True)
            axes.plot(steps, values, color=colour, label=label, marker=marker, markersize=4, linewidth=1.6)
    axes.set_xlabel("step")
    axes.set_xlim(left=0)
    axes.set_ylabel(what)
    axes.set_title(f"{what} by step")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.grid(color=INK, alpha=0.15, linewidth=0.6)
    if not axes.lines:
        axes.text(0.5, 0.5, "nothing was logged", transform=axes.transAxes, ha="center")
    elif len(lines) > 1:
        axes.legend(frameon=False)


def _matrix(figure: Figure, plot: Matrix) -> None:
    """Counts, printed, and shaded by their share of the row."""
    axes = figure.subplots()
    counts, names, size = np.asarray(plot.counts), [short(name) for name in plot.names], len(plot.names)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for row, column in np.ndindex(size, size):
        # The root keeps small shares visible; they are the ones that one looks for.
        shade = float(np.sqrt(shares[row, column]))
        corner = (column - 0.5, row - 0.5)
        axes.add_patch(matplotlib.patches.Rectangle(corner, 1, 1, color=BLUE, alpha=shade, linewidth=0))
        if counts[row, column]:
            ink = "white" if shade > 0.7 else INK
            letters = 10 if size <= 12 else 7
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=ink, fontsize=letters)
    axes.set_xlim(-0.5, size - 0.5)
    axes.set_ylim(size - 0.5, -0.5)
    axes.set_aspect("equal")
    upright = size <= 4 and max(map(len, names), default=0) <= 9
    axes.set_xticks(range(size), names, rotation=0 if upright else 45, ha="center" if upright else "right")
    axes.set_yticks(range(size), names)
    axes.tick_params(length=0)
    axes.set_xlabel("predicted")
    axes.set_ylabel("labelled")
    axes.set_title(plot.title)
    for spine in axes.spines.values():
        spine.set(visible=True, alpha=0.3)


def _scatter(figure: Figure, plot: Scatter) -> None:
    """A point a row; of very many rows some, always the same ones."""
    axes = figure.subplots()
    x, y = np.asarray(plot.x), np.asarray(plot.y)
    rows = len(x)
    shown = np.arange(rows)
    if rows > MOST_POINTS:
        shown = np.sort(np.random.default_rng(0).choice(rows, MOST_POINTS, replace=False))
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    axes.plot([low, high], [low, high], color=INK, alpha=0.4, linewidth=1)
    axes.scatter(x[shown], y[shown], s=14, color=BLUE, alpha=0.6 if len(shown) < 200 else 0.25, linewidth=0)
    axes.set_aspect("equal")
    axes.set_xlabel(plot.axes[0])
    axes.set_ylabel(plot.axes[1])
    axes.grid(color=INK, alpha=0.15, linewidth=0.6)
    axes.set_title(plot.title if rows == len(shown) else f"{len(shown):,} of {rows:,} rows")


def _bars(figure: Figure, plot: Bars) -> None:
    axes = figure.subplots()
    count = len(plot.series)
    thick = 0.8 / count
    places = np.arange(len(plot.names))
    for at, (name, values) in enumerate(plot.series.items()):
        colour = COLOURS.get(name, BLUE)
        axes.barh(places + (at - (count - 1) / 2) * thick, values, thick * 0.92, label=name, color=colour)
    axes.set_yticks(places, [short(name) for name in plot.names])
    axes.set_ylim(len(plot.names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=INK, alpha=0.15, linewidth=0.6)
    _name_axes(axes, plot)


def _histogram(figure: Figure, plot: Histogram) -> None:
    axes = figure.subplots()
    for name, shares in plot.series.items():
        percents, colour = [100 * share for share in shares], COLOURS.get(name, BLUE)
        axes.stairs(percents, plot.edges, label=name, color=colour, linewidth=1.6)
        axes.stairs(percents, plot.edges, color=colour, fill=True, alpha=0.12)
    for name, value in plot.lines.items():
        axes.axvline(value, color=INK, linewidth=1, linestyle="--")
        near_the_end = value > (plot.edges[0] + plot.edges[-1]) / 2
        axes.annotate(
            name,
            (value, 0.97),
            xycoords=("data", "axes fraction"),
            xytext=(-5 if near_the_end else 5, 0),
            textcoords="offset points",
            ha="right" if near_the_end else "left",
            va="top",
        )
    axes.set_ylim(bottom=0)
    axes.set_ylabel("% of the split's rows")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.grid(axis="y", color=INK, alpha=0.15, linewidth=0.6)
    _name_axes(axes, plot)


def _name_axes(axes: Axes, plot: Bars | Histogram) -> None:
    axes.set_axisbelow(True)
    axes.set_title(plot.title)
    axes.set_xlabel(plot.axis)
    if len(plot.series) > 1:
        # Under the plot, where no bar, line or long title can be in its way.
        axes.figure.legend(frameon=False, ncols=len(plot.series), loc="outside lower right")
