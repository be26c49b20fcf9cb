"""Classes that are rare against the batch, or too small to be learned at all."""

from __future__ import annotations

import numpy as np

from tunebook.data.audit.check_result import CheckResult, Table, number, quoted
from tunebook.data.audit.context import AuditContext

FEW_ROWS = 10
NAMED = 3


def check(context: AuditContext) -> CheckResult | str:
    """How many rows of each class an effective batch holds on average, when every row is as likely."""
    if not context.has_classes:
        return "training rows have no classes"
    names, batch = list(context.names), context.facts.effective_batch
    counts = context.counts("train")
    expected = batch * counts / len(context.splits["train"])
    rare = [at for at in _rare_first(counts) if expected[at] < 1]
    few = [at for at in _rare_first(counts) if counts[at] < FEW_ROWS]
    least = int(counts.argmin())
    each = "each class" if counts.min() == counts.max() else f"the rarest class, {quoted(names[least])}"
    words = f"a batch of {batch} holds {number(float(expected[least]))} rows of {each}"
    if rare:
        shown = [f"{quoted(names[at])} in {_batches(expected[at])}" for at in rare]
        words = f"not in every batch of {batch}: {_listed(shown)}"
    if few:
        shown = [f"{quoted(names[at])} ({counts[at]})" for at in few]
        words = f"fewer than {FEW_ROWS} training rows: {_listed(shown)}" + (f"; {words}" if rare else "")
    head = ["label", "training rows", f"rows in a batch of {batch}"]
    rows: list[list[str | int | float]] = [[names[at], int(counts[at]), f"{expected[at]:.2f}"] for at in rare[:50]]
    return CheckResult(
        words=words,
        level="warning" if few else "note" if rare else "fine",
        numbers={
            "batch": batch,
            "rows_per_batch": dict(zip(names, expected.tolist(), strict=True)),
            "fewer_than_10_rows": [names[at] for at in few],
            "less_than_1_per_batch": [names[at] for at in rare],
        },
        tables=[Table("", head, rows)] if rare else [],
    )


def _listed(shown: list[str]) -> str:
    return ", ".join(shown[:NAMED]) + (f" and {len(shown) - NAMED} more" if len(shown) > NAMED else "")


def _rare_first(counts: np.ndarray) -> list[int]:
    return np.argsort(counts, kind="stable").tolist()


def _batches(expected: float) -> str:
    return f"one of {1 / expected:.0f} batches" if expected else "none"
