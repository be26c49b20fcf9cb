"""Rows that repeat an earlier one of their split, to the letter or nearly, as cleaning finds them."""

from __future__ import annotations

from tunebook.data.audit import from_cleaning
from tunebook.data.audit.check_result import CheckResult
from tunebook.data.audit.context import AuditContext


def check(context: AuditContext) -> CheckResult:
    """Which rows count twice."""
    return from_cleaning.result_of(context, {"duplicates": "exact", "near_duplicates": "near"}, severe=0.05)
