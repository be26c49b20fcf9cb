"""Fills in this folder's templates: one way for every page, with texts and pictures in a size for reading.

Everything that comes from data, recipe or machine is escaped. Knows nothing of what the pages are about.
"""

from __future__ import annotations

import base64
import io

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from tunebook.panels import Plot
from tunebook.reporting.formatting import clock, figure

MOST_LETTERS = 600
MOST_PIXELS = 128
_PLAIN_MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}


def rendered(template: str, **values: object) -> str:
    """A template of this folder, filled in; everything is escaped but Markup, and a missing variable is an error."""
    pages = Environment(
        # Always on: choosing by file ending would leave `.jinja` unescaped.
        loader=PackageLoader("tunebook.reporting", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= {"clock": clock, "figure": figure, "shortened": shortened, "inline": inline, "as_svg": as_svg}
    return pages.get_template(template).render(**values)


def as_svg(plot: Plot, prefix: str) -> Markup:
    """A plot as an `<svg>` element. Markup: the picture is ours, and matplotlib has escaped the names inside."""
    from tunebook.reporting.plots import draw  # matplotlib takes a while to import, and not every page has plots

    return Markup(draw(plot, prefix))


def shortened(text: str | None) -> str | None:
    """A text of the data, cut with an ellipsis after 600 letters; None stays None."""
    return text if text is None or len(text) <= MOST_LETTERS else text[:MOST_LETTERS].rstrip() + " …"


def inline(image: Image.Image) -> str:
    """A picture as a PNG data URI, at most 128 pixels a side."""
    small = image if image.mode in _PLAIN_MODES else image.convert("RGB")
    small = small.copy()
    small.thumbnail((MOST_PIXELS, MOST_PIXELS))
    buffer = io.BytesIO()
    small.save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
