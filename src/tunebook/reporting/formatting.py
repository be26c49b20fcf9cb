"""How numbers are written for people, alike on the terminal, in the report and in the model card."""

from __future__ import annotations

import io
import math
import shutil
import sys

from rich.console import Console, RenderableType


def clock(seconds: float) -> str:
    """Seconds as m:ss, or h:mm:ss from one hour on.

    >>> clock(61.4), clock(3725)
    ('1:01', '1:02:05')
    """
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def figure(value: float) -> str:
    """A metric with four digits after the point; tiny and huge ones in scientific notation.

    >>> figure(0.87654), figure(0.00001)
    ('0.8765', '1.00e-05')
    """
    if not math.isfinite(value) or value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.4f}"
    return f"{value:.2e}"


def metric_names(metrics: dict[str, dict[str, float]]) -> list[str]:
    """Every metric of any split once, in the order in which they come, the loss last."""
    names = dict.fromkeys(name for numbers in metrics.values() for name in numbers)
    return sorted(names, key=lambda name: name == "loss")


def side_by_side(
    metrics: dict[str, dict[str, float]], untuned: dict[str, dict[str, float]]
) -> dict[str, dict[str, float]]:
    """Heading to numbers: each split and, where thresholds were used, the same split without them next to it."""
    shown = {}
    for split, numbers in metrics.items():
        shown[split] = numbers
        if split in untuned:
            shown[f"{split} without thresholds"] = untuned[split]
    return shown


def printed(content: RenderableType, width: int | None = None) -> str:
    """What rich prints, as text; coloured only on a terminal, whose width is the default, between 60 and 120."""
    buffer = io.StringIO()
    width = width or max(60, min(120, shutil.get_terminal_size((100, 24)).columns))
    console = Console(file=buffer, width=width, force_terminal=sys.stdout.isatty(), highlight=False)
    console.print(content)
    # Rich fills every line up to the width; in a log file those blanks are only noise.
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())
