"""Turns a matplotlib drawing into SVG text that takes its ink from the page; knows nothing of its content.

Text stays text (searchable, and in the page's colour scheme), and equal numbers give an equal picture, byte
for byte. Dataset text is never read as mathematics.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib
from matplotlib.figure import Figure

MOST_LETTERS = 22
BLUE, ORANGE, GREEN = "#3f83d8", "#e07b28", "#4a9a62"
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


def short(name: str) -> str:
    """A name that fits next to an axis: at most 22 letters, the last of them an ellipsis where it was cut."""
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
