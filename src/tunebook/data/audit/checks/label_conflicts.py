"""The same input with different labels, as cleaning found it."""

from __future__ import annotations

from tunebook.data.audit import found
from tunebook.data.audit.looks import Look
from tunebook.data.audit.material import Material


def look(material: Material) -> Look:
    """Which rows contradict each other."""
    return found.look(material, {"conflicts": ""}, severe=0.01, again="contradicts")
