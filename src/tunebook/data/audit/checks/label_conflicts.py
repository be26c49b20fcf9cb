"""The same input with different labels, as cleaning found it."""

from __future__ import annotations

from tunebook.data.audit import found
from tunebook.data.audit.check_result import CheckResult
from tunebook.data.audit.context import AuditContext


def check(context: AuditContext) -> CheckResult:
    """Which rows contradict each other."""
    return found.check(context, {"conflicts": ""}, severe=0.01, again="contradicts")
