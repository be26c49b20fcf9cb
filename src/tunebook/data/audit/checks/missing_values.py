"""Rows without a text, an image or a label, as cleaning found them."""

from __future__ import annotations

from tunebook.data.audit import found
from tunebook.data.audit.looks import Look
from tunebook.data.audit.material import Material


def look(material: Material) -> Look:
    """Which rows miss something."""
    return found.look(material, {"missing": ""}, severe=0.05)
