"""Rows whose label is probably wrong, as cleaning found them; applies only where it was asked to look."""

from __future__ import annotations

from tunebook.data.audit import found
from tunebook.data.audit.check_result import CheckResult
from tunebook.data.audit.context import AuditContext


def check(context: AuditContext) -> CheckResult | None:
    """Which labels to look at."""
    if context.facts.cleaning.label_noise == "ignore":
        return None
    return found.check(context, {"label_noise": ""}, severe=0.05)
