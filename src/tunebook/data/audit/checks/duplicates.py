"""Rows that repeat an earlier one of their split, to the letter or nearly, as cleaning found them."""

from __future__ import annotations

from tunebook.data.audit import found
from tunebook.data.audit.check_result import CheckResult
from tunebook.data.audit.context import AuditContext


def check(context: AuditContext) -> CheckResult:
    """Which rows count twice."""
    return found.check(context, {"duplicates": "exact", "near_duplicates": "near"}, severe=0.05)
