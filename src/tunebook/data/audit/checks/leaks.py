"""Rows that stand in two splits, to the letter or nearly, as cleaning found them and after what it dropped."""

from __future__ import annotations

from dataclasses import replace

from tunebook.data.audit import found
from tunebook.data.audit.check_result import CheckResult
from tunebook.data.audit.context import AuditContext


def check(context: AuditContext) -> CheckResult | None:
    """Which rows make the figures of a later split too good."""
    if len(context.splits) < 2:
        return None
    said = found.check(
        context, {"leaks": "exact", "near_leaks": "near"}, 0.0, none="no row stands in two splits", again="is"
    )
    left = {" and ".join(pair): count for pair, count in context.data.overlaps.items() if count}
    numbers = {**said.numbers, "left": left}
    if not left:
        return replace(said, numbers=numbers)
    words = [
        f"{count:,} row{'s' if count > 1 else ''} of {later} in {earlier} too, word for word"
        for (earlier, later), count in context.data.overlaps.items()
        if count
    ]
    told = [said.words] if said.numbers["findings"] else []
    return replace(said, words="; ".join([*told, "left: " + ", ".join(words)]), level="warning", numbers=numbers)
