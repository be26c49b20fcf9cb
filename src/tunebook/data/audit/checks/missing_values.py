"""Rows without a text, an image or a label, as cleaning finds them."""

from __future__ import annotations

from tunebook.data.audit import from_cleaning
from tunebook.data.audit.check_result import CheckResult
from tunebook.data.audit.context import AuditContext


def check(context: AuditContext) -> CheckResult:
    """Which rows miss something."""
    return from_cleaning.result_of(context, {"missing": ""}, severe=0.05)
