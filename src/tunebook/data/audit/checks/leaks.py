"""Rows that are in two splits, to the letter or nearly, as cleaning finds them and after what it dropped."""

from __future__ import annotations

from dataclasses import replace

from tunebook.data.audit import from_cleaning
from tunebook.data.audit.check_result import CheckResult
from tunebook.data.audit.context import AuditContext


def check(context: AuditContext) -> CheckResult | str:
    """Which rows make the figures of a later split too good."""
    if len(context.splits) < 2:
        return "there is one split only"
    result = from_cleaning.result_of(
        context, {"leaks": "exact", "near_leaks": "near"}, 0.0, none="no row is in two splits", again="is"
    )
    left = {" and ".join(pair): count for pair, count in context.data.overlaps.items() if count}
    numbers = {**result.numbers, "left": left}
    if not left:
        return replace(result, numbers=numbers)
    words = [
        f"{count:,} row{'s' if count > 1 else ''} of {later} in {earlier} too, word for word"
        for (earlier, later), count in context.data.overlaps.items()
        if count
    ]
    before = [result.words] if result.numbers["findings"] else []
    return replace(result, words="; ".join([*before, "left: " + ", ".join(words)]), level="warning", numbers=numbers)
