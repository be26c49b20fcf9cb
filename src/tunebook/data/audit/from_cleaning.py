"""Turns the findings of cleaning (`PreparedData.findings`) into results of checks. Reads no rows itself."""

from __future__ import annotations

from tunebook.data.audit.check_result import CheckResult, Example, Level, Row, Table, percent
from tunebook.data.audit.context import AuditContext
from tunebook.data.cleaning.findings import Finding

SHOWN = 5


def result_of(
    context: AuditContext, kinds: dict[str, str], severe: float, none: str = "none found", again: str = "repeats"
) -> CheckResult:
    """One line, counts and examples for some kinds of findings.

    Args:
        context: rows and findings.
        kinds: of findings (which are fields of `cleaning` too), each with its name in the line, or "".
        severe: share of a split that is left from which on the finding is a warning.
        none: the line where there is no finding.
        again: what a row does to its partner, for the titles of examples.
    """
    findings = [one for one in context.data.findings if one.kind in kinds and one.rows]
    ignored = [f"cleaning.{key}" for key in kinds if getattr(context.facts.cleaning, key) == "ignore"]
    parts = [
        _words(context, name, of_kind)
        for kind, name in kinds.items()
        if (of_kind := [one for one in findings if one.kind == kind])
    ]
    parts = parts or ([none] if len(ignored) < len(kinds) else [])
    parts += [f"not looked for: {', '.join(ignored)}=ignore"] if ignored else []
    rows: list[list[str | int | float]] = [[one.words, one.dropped, one.policy] for one in findings]
    return CheckResult(
        words="; ".join(parts),
        level=_level(context, findings, severe),
        numbers={
            "findings": [
                {"kind": one.kind, "split": one.split, "rows": len(one.rows)}
                | {"dropped": one.dropped, "policy": one.policy}
                for one in findings
            ],
            "ignored": ignored,
        },
        tables=[Table("", ["finding", "left out", "policy"], rows)] if rows else [],
        examples=[example for one in findings for example in _examples(context, one, again)],
    )


def _words(context: AuditContext, name: str, of_kind: list[Finding]) -> str:
    """A kind's counts in all splits: 'near: 9 of train (1 %), left out, 1 of test (0.5 %)'."""
    gone = all(one.dropped for one in of_kind)
    parts = []
    for one in of_kind:
        into = {split for split, _ in one.partners} - {one.split}
        where = f"{len(one.rows):,} of {one.split}" + (f" in {' and '.join(sorted(into))}" if into else "")
        share = percent(len(one.rows) / _size(context, one))
        parts.append(f"{where} ({share})" + (", left out" if one.dropped and not gone else ""))
    end = "" if not gone else ", left out" if len(parts) == 1 else ", all left out"
    return (f"{name}: " if name else "") + ", ".join(parts) + end


def _size(context: AuditContext, finding: Finding) -> int:
    """Rows that the split had when cleaning read it.

    Where the finding does not state it: those that are there now, with those that were left out or carved.
    """
    if finding.of:
        return finding.of
    data, split = context.data, finding.split
    carved = context.facts.carved if split == "train" and "leaks" not in finding.kind else ()
    rows = sum(len(context.splits.get(name, [])) for name in (split, *carved))
    return max(rows + sum(one.split in {split, *carved} for one in data.dropped), len(finding.rows))


def _level(context: AuditContext, findings: list[Finding], severe: float) -> Level:
    if not findings:
        return "fine"
    for one in findings:
        left = len(one.rows) - one.dropped
        if left and left >= severe * _size(context, one):
            return "warning"
    return "note"


def _examples(context: AuditContext, finding: Finding, again: str) -> list[Example]:
    shown = []
    for at, row in enumerate(finding.rows[:SHOWN]):
        partner = finding.partners[at] if finding.partners else None
        rows: list[Row | None] = [context.row(finding.split, row)]
        rows += [context.row(*partner)] if partner else []
        present = [one for one in rows if one is not None]
        if present:
            kind = finding.kind.replace("_", " ")
            # The words of a row say where it is now, so that a title reads like the heading of the row itself.
            title = f"{kind}: row {row} of {rows[0].split if rows[0] else finding.split}"
            if partner:
                title += f" {again} row {partner[1]} of {rows[1].split if rows[1] else partner[0]}"
            shown.append(Example(title, present))
    return shown
