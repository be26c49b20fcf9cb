"""Rows that repeat an earlier one of their split, to the letter or nearly, as cleaning found them."""

from __future__ import annotations

from tunebook.data.audit import found
from tunebook.data.audit.looks import Look
from tunebook.data.audit.material import Material


def look(material: Material) -> Look:
    """Which rows count twice."""
    return found.look(material, {"duplicates": "exact", "near_duplicates": "near"}, severe=0.05)
