"""Draws what the audit's checks ask for: bars and histograms, in the style of plots.py. Knows nothing of the data."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tunebook.data.audit.check_result import Bars, Histogram
from tunebook.reporting import plots

COLOURS = {"train": plots.BLUE, "validation": "#4a9a62", "test": plots.ORANGE}
# Of half a page, so that two stand side by side with letters of their full size.
WIDTH = 4.7


def draw(plot: Bars | Histogram, prefix: str) -> str:
    """One `<svg>` element.

    Args:
        plot: what to draw.
        prefix: of its ids, so that several pictures can share a page.
    """
    if isinstance(plot, Bars):
        height = 1.3 + len(plot.names) * max(0.26, 0.16 * len(plot.series))
        return plots.svg(lambda figure: _bars(figure, plot), (WIDTH, height), prefix)
    return plots.svg(lambda figure: _histogram(figure, plot), (WIDTH, 3.0), prefix)


def _bars(figure: Figure, plot: Bars) -> None:
    axes = figure.subplots()
    count = len(plot.series)
    thick = 0.8 / count
    places = np.arange(len(plot.names))
    for at, (name, values) in enumerate(plot.series.items()):
        axes.barh(places + (at - (count - 1) / 2) * thick, values, thick * 0.92, label=name, color=_colour(name))
    axes.set_yticks(places, [plots.short(name) for name in plot.names])
    axes.set_ylim(len(plot.names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=plots.INK, alpha=0.15, linewidth=0.6)
    axes.set_axisbelow(True)
    _finish(axes, plot.title, plot.axis, count)


def _histogram(figure: Figure, plot: Histogram) -> None:
    axes = figure.subplots()
    for name, shares in plot.series.items():
        axes.stairs([100 * share for share in shares], plot.edges, label=name, color=_colour(name), linewidth=1.6)
        axes.stairs([100 * share for share in shares], plot.edges, color=_colour(name), fill=True, alpha=0.12)
    for name, value in plot.lines.items():
        axes.axvline(value, color=plots.INK, linewidth=1, linestyle="--")
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
    axes.grid(axis="y", color=plots.INK, alpha=0.15, linewidth=0.6)
    axes.set_axisbelow(True)
    _finish(axes, plot.title, plot.axis, len(plot.series))


def _finish(axes: plots.Axes, title: str, axis: str, series: int) -> None:
    axes.set_title(title)
    axes.set_xlabel(axis)
    if series > 1:
        # Under the plot, where no bar, line or long title can lie beneath it.
        axes.figure.legend(frameon=False, ncols=series, loc="outside lower right")


def _colour(name: str) -> str:
    return COLOURS.get(name, plots.BLUE)
