"""Shows a sweep of the learning rate: a short table, lr_finder.json and the page lr_finder.html. Trains nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from rich.table import Table
from rich.text import Text

from tunebook.files import write_json, write_text
from tunebook.reporting.formatting import printed
from tunebook.reporting.pages import rendered
from tunebook.reporting.svg import BLUE, INK, ORANGE, svg

if TYPE_CHECKING:
    from tunebook.training.lr_finder import Sweep

JSON, PAGE = "lr_finder.json", "lr_finder.html"
KEY = "hyperparameters.learning_rate"
FAINT = 0.05
"""A fall, as a share of the first loss, that batches differ by."""
WORDS = {
    "valley": "half way down the longest fall; start with this one",
    "steepest": "where the loss falls fastest",
    "minimum / 10": "a tenth of the rate with the lowest loss",
}
NOTHING = "No suggestion: the curve is too short or never falls. Look at it; --start and --end set what is swept."


def write_sweep(folder: Path, sweep: Sweep, name: str, advice: list[str]) -> None:
    """Write lr_finder.json and lr_finder.html, each whole or not at all, with the recipe's name as heading."""
    write_json(folder / JSON, numbers(sweep))
    write_text(folder / PAGE, page(sweep, name, advice))


def advice(sweep: Sweep, wanted: Any) -> list[str]:
    """How to use the first suggestion, as sentences; wanted: the group `hyperparameters` of the sweep."""
    if not sweep.suggestions:
        return [NOTHING]
    rate, phase = next(iter(sweep.suggestions.values())), sweep.phase.planned.phase
    if phase.learning_rate is None:
        sentences = [f"To train at the first of them: {KEY}={typed(rate)}"]
    else:
        sentences = [
            f"The phase {phase.name} has a base rate of its own, {phase.learning_rate:g}: set it in `freezing`."
        ]
    shares = {"lowest_learning_rate": wanted.lowest_learning_rate}
    shares |= {
        f"learning_rates.{at}.learning_rate": rule.learning_rate for at, rule in enumerate(wanted.learning_rates)
    }
    factor = rate / (phase.learning_rate or sweep.base)
    if alike := [f"{key}={typed(value * factor)}" for key, value in shares.items() if value]:
        sentences.append(
            f"Rates that the recipe states as numbers rose in proportion; to preserve their shares: {', '.join(alike)}."
        )
    if sweep.fall < FAINT:
        sentences.append(f"The loss falls by {sweep.fall:.1%} only, which may be noise: try more --steps or rows.")
    return sentences


def numbers(sweep: Sweep) -> dict[str, Any]:
    """The sweep as plain containers."""
    return {
        "suggestions": sweep.suggestions,
        "start": sweep.range.start,
        "end": sweep.range.end,
        "steps": sweep.range.steps,
        "phase": sweep.phase.name,
        "ended": sweep.ended,
        "curve": [
            {"learning_rate": rate, "loss": loss, "smoothed": mean}
            for rate, loss, mean in zip(sweep.rates, sweep.losses, sweep.smoothed, strict=True)
        ],
    }


def page(sweep: Sweep, name: str, advice: list[str]) -> str:
    """The page as text; everything from the recipe is escaped."""
    rows = [(label, typed(rate), _loss_at(sweep, rate), WORDS[label]) for label, rate in sweep.suggestions.items()]
    return rendered(
        "lr_finder.html.jinja",
        title=f"Learning rates for {name}",
        sweep=sweep,
        rows=rows,
        advice=advice,
        # Markup: the picture is ours.
        curve=Markup(curve(sweep)),
    )


def sweep_table(sweep: Sweep, advice: list[str]) -> str:
    """The suggestions in the terminal, and how to use them."""
    text = "\n".join([f"The sweep ended {sweep.ended}.", *advice])
    if not sweep.suggestions:
        return text
    table = Table(title=Text(f"Learning rates, from {len(sweep.rates)} steps"), title_justify="left", title_style="")
    table.add_column(Text("suggestion"), no_wrap=True)
    table.add_column(Text("rate"), justify="right", no_wrap=True)
    table.add_column(Text("loss"), justify="right", no_wrap=True)
    table.add_column(Text(""), overflow="fold")
    for label, rate in sweep.suggestions.items():
        table.add_row(Text(label), Text(typed(rate)), Text(_loss_at(sweep, rate)), Text(WORDS[label]))
    return f"{printed(table)}\n{text}"


def typed(rate: float) -> str:
    """A rate as one would type it: two significant digits."""
    return f"{rate:.1e}"


def curve(sweep: Sweep) -> str:
    """Loss by learning rate on a logarithmic scale, with a mark at each suggestion.

    Returns:
        One `<svg>` element.
    """
    return svg(lambda figure: _draw(figure, sweep), (9.0, 4.4), "sweep")


def _draw(figure: Figure, sweep: Sweep) -> None:
    axes: Axes = figure.subplots()
    rates, mean = np.asarray(sweep.rates), np.asarray(sweep.smoothed)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0e}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.plot(rates, sweep.losses, ".", color=INK, alpha=0.45, markersize=5, markeredgewidth=0, label="each step")
    axes.plot(rates, mean, color=BLUE, linewidth=2, label="smoothed")
    # The last steps explode and would flatten everything that matters.
    low, high = float(mean.min()), float(np.max(mean[: max(len(mean) // 2, 1)]))
    room = max(high - low, 0.1 * abs(low), 1e-3)  # noise is not stretched until it looks like a fall
    axes.set_ylim(low - 0.3 * room, high + 0.7 * room)
    axes.set_xlim(rates[0], rates[-1])
    for level, (label, rate) in enumerate(sorted(sweep.suggestions.items(), key=lambda pair: pair[1])):
        # Each line ends at its own label, below those to its left, so that none crosses another's.
        height = 0.98 - 0.08 * level
        axes.axvline(rate, ymax=height, color=ORANGE, linewidth=1.2, linestyle="-" if label == "valley" else "--")
        axes.plot([rate], [np.interp(np.log(rate), np.log(rates), mean)], "o", color=ORANGE, markersize=6)
        words, at = f"{label}: {typed(rate)}", (rate, height)
        axes.annotate(words, at, (5, 0), axes.get_xaxis_transform(), textcoords="offset points", va="top")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("training loss")
    axes.grid(color=INK, alpha=0.15, linewidth=0.6)
    axes.legend(frameon=False, loc="lower left")


def _loss_at(sweep: Sweep, rate: float) -> str:
    return f"{np.interp(np.log(rate), np.log(sweep.rates), sweep.smoothed):.3f}"
