"""Rows that stand in two splits, to the letter or nearly, as cleaning found them and after what it dropped."""

from __future__ import annotations

from dataclasses import replace

from tunebook.data.audit import found
from tunebook.data.audit.looks import Look
from tunebook.data.audit.material import Material


def look(material: Material) -> Look | None:
    """Which rows make the figures of a later split too good."""
    if len(material.splits) < 2:
        return None
    said = found.look(
        material, {"leaks": "exact", "near_leaks": "near"}, 0.0, none="no row stands in two splits", again="is"
    )
    left = {" and ".join(pair): count for pair, count in material.data.overlaps.items() if count}
    numbers = {**said.numbers, "left": left}
    if not left:
        return replace(said, numbers=numbers)
    words = [
        f"{count:,} row{'s' if count > 1 else ''} of {later} in {earlier} too, word for word"
        for (earlier, later), count in material.data.overlaps.items()
        if count
    ]
    told = [said.words] if said.numbers["findings"] else []
    return replace(said, words="; ".join([*told, "left: " + ", ".join(words)]), level="warning", numbers=numbers)
