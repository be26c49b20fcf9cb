"""How long the texts are in tokens, what cutting at `max_length` takes away, and texts with next to nothing in them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tunebook.data.audit.check_result import CheckResult, Example, Histogram, Table, percent
from tunebook.data.audit.context import AuditContext

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
MOST_MEASURED = 5000
NOTED, WARNED = 0.01, 0.1
SHOWN = 3


def check(context: AuditContext) -> CheckResult | None:
    """Percentiles of lengths, the share of rows that is cut, and rows without a word."""
    if not context.text_roles:
        return None
    splits = {split: _split(context, split) for split in context.splits}
    in_tokens = bool(context.facts.lengths)
    most = context.facts.max_length if in_tokens else None
    cut = {split: one["cut"] for split, one in splits.items() if one["cut"]}
    wordless = sum(one["without_words"] for one in splits.values())
    share = max((one["cut_share"] for one in splits.values()), default=0.0)
    first = next(iter(splits.values()))
    unit = "tokens" if in_tokens else "words"
    words = f"median {first['p50']} {unit}, 99 % of rows up to {first['p99']}, longest {first['longest']}"
    if most is not None:
        words += f"; max_length={most} cuts "
        parts = [f"{percent(splits[split]['cut_share'])} of {split}" for split in cut]
        words += ", ".join(parts) if parts else "none"
    if wordless:
        words += f"; {wordless:,} rows without a word"
    head = ["split", *(f"{p} %" for p in PERCENTILES), "longest"] + (["rows cut", "tokens lost"] if most else [])
    return CheckResult(
        words=words,
        level="warning" if share >= WARNED else "note" if share >= NOTED or wordless else "fine",
        numbers={"unit": unit, "max_length": most, "splits": splits},
        tables=[Table(f"Length in {unit}", head, [_cells(split, one, most) for split, one in splits.items()])],
        plots=[_histogram(context, unit, most)],
        examples=_wordless(context) if wordless else [],
    )


def _lengths(context: AuditContext, split: str) -> np.ndarray:
    """Tokens after cutting, or words where tokens are not known."""
    if context.facts.lengths:
        return np.asarray(context.facts.lengths[split])
    return np.asarray(context.words.rows[split].sum(axis=1)).ravel().astype(int)


def _split(context: AuditContext, split: str) -> dict[str, Any]:
    lengths = _lengths(context, split)
    # Lengths are counts: a percentile is one that a row has.
    found = dict(zip(PERCENTILES, np.percentile(lengths, PERCENTILES, method="inverted_cdf"), strict=True))
    cut = _cut(context, split, lengths)
    longest = max(int(lengths.max()), cut.pop("longest"))
    return {
        **{f"p{p}": int(value) for p, value in found.items()},
        "longest": longest,
        "mean": float(lengths.mean()),
        **cut,
        "without_words": int(_without_words(context, split).sum()),
    }


def _cut(context: AuditContext, split: str, lengths: np.ndarray) -> dict[str, Any]:
    """Which rows lose tokens: those that fill `max_length` are counted again without cutting, at most 5,000 of them."""
    nothing = {"cut": 0, "cut_share": 0.0, "tokens_lost_share": 0.0, "measured": 0, "longest": 0}
    most, measure = context.facts.max_length, context.facts.measure
    if most is None or not context.facts.lengths:
        return nothing
    full = np.flatnonzero(lengths >= most)
    if measure is None or len(full) == 0 or not set(context.text_roles) <= {"text", "text_pair"}:
        # Not known better: what fills the length counts as cut.
        return {**nothing, "cut": len(full), "cut_share": len(full) / len(lengths)}
    at = full[context.sample(len(full), MOST_MEASURED)]
    columns = context.columns(split)
    first = [columns["text"][row] for row in at]
    second = [columns["text_pair"][row] for row in at] if "text_pair" in columns else None
    whole = np.asarray(measure(first, second))
    scale = len(full) / len(at)
    cut = round(float((whole > most).sum()) * scale)
    lost = float((whole - most).sum()) * scale
    return {
        "cut": cut,
        "cut_share": cut / len(lengths),
        "tokens_lost_share": lost / (lost + float(lengths.sum())),
        "measured": len(at),
        "longest": int(whole.max()),
    }


def _without_words(context: AuditContext, split: str) -> np.ndarray:
    return np.diff(context.words.rows[split].indptr) == 0


def _cells(split: str, one: dict[str, Any], most: int | None) -> list[str | int | float]:
    cells: list[str | int | float] = [split, *(one[f"p{p}"] for p in PERCENTILES), one["longest"]]
    return (
        [*cells, f"{one['cut']:,} ({percent(one['cut_share'])})", percent(one["tokens_lost_share"])] if most else cells
    )


def _histogram(context: AuditContext, unit: str, most: int | None) -> Histogram:
    lengths = {split: _lengths(context, split) for split in context.splits}
    longest = max(int(part.max()) for part in lengths.values())
    step = max(1, -(-(longest + 1) // 40))
    edges = np.arange(0, longest + 1 + step, step)
    return Histogram(
        f"Length in {unit}" + (", after cutting" if most and longest >= most else ""),
        (edges - 0.5).tolist(),
        {split: (np.histogram(part, edges - 0.5)[0] / len(part)).tolist() for split, part in lengths.items()},
        unit,
        {f"max_length={most}": float(most)} if most and most <= 3 * longest else {},
    )


def _wordless(context: AuditContext) -> list[Example]:
    found = []
    for split in context.splits:
        for at in np.flatnonzero(_without_words(context, split))[:SHOWN].tolist():
            found.append(Example("a text without a word", [context.shown(split, at)]))
    return found[:SHOWN]
