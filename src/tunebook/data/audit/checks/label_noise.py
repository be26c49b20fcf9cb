"""Rows whose label is probably wrong, as cleaning found them; applies only where it was asked to look."""

from __future__ import annotations

from tunebook.data.audit import found
from tunebook.data.audit.looks import Look
from tunebook.data.audit.material import Material


def look(material: Material) -> Look | None:
    """Which labels to look at."""
    if material.facts.cleaning.label_noise == "ignore":
        return None
    return found.look(material, {"label_noise": ""}, severe=0.05)
