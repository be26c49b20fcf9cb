"""Rows whose label is probably wrong, as the search for label noise finds them."""

from __future__ import annotations

from tunebook.data.audit import from_cleaning
from tunebook.data.audit.check_result import CheckResult
from tunebook.data.audit.context import AuditContext


def check(context: AuditContext) -> CheckResult | str:
    """Which labels to look at."""
    if context.facts.cleaning.label_noise == "ignore":
        return "cleaning.label_noise=ignore"
    return from_cleaning.result_of(context, {"label_noise": ""}, severe=0.05)
