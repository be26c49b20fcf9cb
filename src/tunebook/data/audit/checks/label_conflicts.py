"""The same input with different labels, as cleaning finds it."""

from __future__ import annotations

from tunebook.data.audit import from_cleaning
from tunebook.data.audit.check_result import CheckResult
from tunebook.data.audit.context import AuditContext


def check(context: AuditContext) -> CheckResult | str:
    """Which rows contradict each other."""
    if context.label is None:
        return "the task has no labels"
    return from_cleaning.result_of(context, {"conflicts": ""}, severe=0.01, again="contradicts")
