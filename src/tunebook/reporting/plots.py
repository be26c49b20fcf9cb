"""Draws a run's figures as SVG text that takes its ink from the page around it; knows nothing of the report.

Text stays text (searchable, and in the page's colour scheme), and equal numbers give an equal picture, byte
for byte. Dataset text is never read as mathematics.
"""

from __future__ import annotations

import io
import re
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

MOST_CLASSES = 30
MOST_PAIRS = 25
MOST_LETTERS = 22
MOST_POINTS = 2000
BLUE, ORANGE = "#3f83d8", "#e07b28"
# A colour that nothing else uses; it becomes `currentColor` in the finished picture.
INK = "#010203"
_NO_METADATA = {"Date": None, "Creator": None}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tunebook",
    "text.parse_math": False,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
}


def learning_curve(history: Sequence[dict[str, Any]], monitor: str = "") -> str:
    """Training and evaluation loss by step and, beside them, the monitored metric.

    Args:
        history: the Trainer's log (`log_history`): keys step, loss, eval_loss, eval_<metric>.
        monitor: name of the metric, with or without 'eval_'; "" or 'loss' draws the losses alone.

    Returns:
        One `<svg>` element.
    """
    metric = "eval_" + monitor.removeprefix("eval_")
    second = metric != "eval_loss" and any(metric in entry for entry in history)

    def draw(figure: Figure) -> None:
        axes = figure.subplots(1, 2 if second else 1, squeeze=False)[0]
        _lines(axes[0], history, {"loss": ("training", BLUE), "eval_loss": ("evaluation", ORANGE)}, "loss")
        if second:
            _lines(axes[1], history, {metric: (metric.removeprefix("eval_"), ORANGE)}, metric[5:])

    return svg(draw, (9.0 if second else 6.0, 3.2), "curve")


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


def confusion(references: np.ndarray, predicted: np.ndarray, label_names: Sequence[str]) -> str:
    """Which class was taken for which: shaded by share of the labelled class, counts printed.

    Args:
        references: labelled class numbers, shape (rows,).
        predicted: predicted class numbers, shape (rows,).
        label_names: names in order of class number.

    Returns:
        One `<svg>` element; beyond 30 classes a `<table>` of the most frequent confusions instead.
    """
    references, predicted = np.asarray(references), np.asarray(predicted)
    if len(label_names) > MOST_CLASSES:
        return _pairs(references, predicted, label_names)
    size = len(label_names)
    counts = np.zeros((size, size), dtype=np.int64)
    np.add.at(counts, (references, predicted), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [short(name) for name in label_names]
    side = max(2.4, (0.62 if size <= 12 else 0.33) * size)
    margin = 0.085 * max(map(len, names), default=0) + 0.7
    return svg(lambda figure: _matrix(figure, counts, shares, names), (side + margin, side + margin), "confusion")


def _matrix(figure: Figure, counts: np.ndarray, shares: np.ndarray, names: list[str]) -> None:
    axes = figure.subplots()
    size = len(names)
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
    upright = size <= 4 and max(map(len, names)) <= 9
    axes.set_xticks(range(size), names, rotation=0 if upright else 45, ha="center" if upright else "right")
    axes.set_yticks(range(size), names)
    axes.tick_params(length=0)
    axes.set_xlabel("predicted")
    axes.set_ylabel("labelled")
    for spine in axes.spines.values():
        spine.set(visible=True, alpha=0.3)


def scatter(references: np.ndarray, answered: np.ndarray) -> str:
    """Answered against labelled numbers, with the line where both are equal.

    Args:
        references: labelled numbers, shape (rows,).
        answered: answered numbers, shape (rows,).

    Returns:
        One `<svg>` element; beyond 2,000 rows a drawn sample of them, the same one each time.
    """
    references, answered = np.asarray(references, dtype=np.float64), np.asarray(answered, dtype=np.float64)
    rows = len(references)
    shown = np.arange(rows)
    if rows > MOST_POINTS:
        shown = np.sort(np.random.default_rng(0).choice(rows, MOST_POINTS, replace=False))

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        low, high = min(references.min(), answered.min()), max(references.max(), answered.max())
        axes.plot([low, high], [low, high], color=INK, alpha=0.4, linewidth=1)
        faint = 0.6 if len(shown) < 200 else 0.25
        axes.scatter(references[shown], answered[shown], s=14, color=BLUE, alpha=faint, linewidth=0)
        axes.set_aspect("equal")
        axes.set_xlabel("labelled")
        axes.set_ylabel("answered")
        axes.grid(color=INK, alpha=0.15, linewidth=0.6)
        if rows > len(shown):
            axes.set_title(f"{len(shown):,} of {rows:,} rows")

    return svg(draw, (5.2, 5.0), "scatter")


def _pairs(references: np.ndarray, predicted: np.ndarray, names: Sequence[str]) -> str:
    wrong = references != predicted
    labelled = Counter(references.tolist())
    pairs = Counter(zip(references[wrong].tolist(), predicted[wrong].tolist(), strict=True))
    # Ties in order of class number, so that the table does not depend on the order of the rows.
    top = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:MOST_PAIRS]
    head = "<tr><th>labelled</th><th>predicted</th><th>rows</th><th>share of the class</th></tr>"
    body = [
        f"<tr><td>{escape(names[truth])}</td><td>{escape(names[guess])}</td>"
        f'<td class="number">{count}</td><td class="number">{count / labelled[truth]:.1%}</td></tr>'
        for (truth, guess), count in top
    ]
    return "\n".join(['<table class="confusions">', f"<thead>{head}</thead><tbody>", *body, "</tbody></table>"])


def short(name: str) -> str:
    """A name that fits beside an axis: at most 22 letters, the last of them an ellipsis where it was cut."""
    return name if len(name) <= MOST_LETTERS else name[: MOST_LETTERS - 1] + "…"


def svg(draw: Callable[[Figure], None], inches: tuple[float, float], prefix: str) -> str:
    """One `<svg>` element in the style of every picture here.

    Args:
        draw: puts axes and lines on the empty figure.
        inches: width and height.
        prefix: of its ids, so that several pictures can share a page; its class, too.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # The browser draws the letters; that matplotlib's own font lacks some is no loss.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        # No pyplot: a figure of its own leaves a notebook's or a plugin's state alone.
        figure = Figure(figsize=inches, layout="constrained")
        draw(figure)
        figure.savefig(buffer, format="svg", transparent=True, bbox_inches="tight", metadata=_NO_METADATA)
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    # Two pictures on one page must not share ids.
    text = re.sub(r'(\bid="|xlink:href="#|url\(#)', rf"\g<1>{prefix}-", text)
    return text.replace("<svg", f'<svg class="plot {prefix}" role="img"', 1)
