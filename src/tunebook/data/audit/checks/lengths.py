"""How long the texts are, what cutting at `max_length` takes away, and texts with next to nothing in them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np

from tunebook.data.audit.check_result import CheckResult, Example, Histogram, Table, histogram, percent
from tunebook.data.audit.context import WORD, AuditContext

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
MOST_MEASURED = 5000
NOTED, WARNED = 0.01, 0.1
SHOWN = 3


def check(context: AuditContext) -> CheckResult | str:
    """Percentiles of lengths, the share of rows that is cut, and rows without a word; of target texts the lengths."""
    if not context.text_roles:
        return "there are no texts"
    lengths = {split: _lengths(context, split) for split in context.splits}
    splits = {split: _split(context, split, lengths[split]) for split in context.splits}
    in_tokens = bool(context.facts.lengths)
    most = context.facts.max_length if in_tokens else None
    cut = {split: one["cut"] for split, one in splits.items() if one["cut"]}
    wordless = sum(one["without_words"] for one in splits.values())
    share = max(one["cut_share"] for one in splits.values())
    unit = "tokens" if in_tokens else "words"
    words = _in_words(next(iter(splits.values())), unit)
    if most is not None:
        parts = [f"{percent(splits[split]['cut_share'])} of {split}" for split in cut]
        words += f"; max_length={most} cuts " + (", ".join(parts) if parts else "none")
    if wordless:
        words += f"; {wordless:,} rows without a word"
    head = ["split", *(f"{p} %" for p in PERCENTILES), "longest"] + (["rows cut", "tokens lost"] if most else [])
    result = CheckResult(
        words=words,
        level="warning" if share >= WARNED else "note" if share >= NOTED or wordless else "fine",
        numbers={"unit": unit, "max_length": most, "splits": splits, "sampled": context.sampled_texts()},
        tables=[Table(f"Length in {unit}", head, [_cells(split, one, most) for split, one in splits.items()])],
        plots=[_histogram(lengths, f"Length in {unit}", unit, most)],
        examples=_wordless(context) if wordless else [],
    )
    return _with_targets(context, result) if context.target_text_roles else result


def _with_targets(context: AuditContext, result: CheckResult) -> CheckResult:
    """The result with the lengths of the texts that the model is to write, of at most 5,000 rows a split."""
    unit = "tokens" if context.facts.measure else "words"
    lengths = {split: _target_lengths(context, split) for split in context.splits}
    splits = {split: _percentiles(part) for split, part in lengths.items()}
    title = f"Length of targets in {unit}"
    head = ["split", *(f"{p} %" for p in PERCENTILES), "longest"]
    return replace(
        result,
        words=f"{result.words}; targets: {_in_words(next(iter(splits.values())), unit)}",
        numbers={**result.numbers, "targets": {"unit": unit, "splits": splits}},
        tables=[*result.tables, Table(title, head, [_cells(split, one, None) for split, one in splits.items()])],
        plots=[*result.plots, _histogram(lengths, title, unit, None)],
    )


def _target_lengths(context: AuditContext, split: str) -> np.ndarray:
    """Tokens of the target texts, or words where there is no tokenizer."""
    texts = context.texts(split, context.target_text_roles)
    texts = [texts[at] for at in context.sample(len(texts), MOST_MEASURED)]
    if context.facts.measure:
        return np.asarray(context.facts.measure(texts, None))
    return np.asarray([len(re.findall(WORD, text)) for text in texts])


def _lengths(context: AuditContext, split: str) -> np.ndarray:
    """Tokens after cutting, or words where tokens are not known."""
    if context.facts.lengths:
        return np.asarray(context.facts.lengths[split])
    return np.asarray(context.words.rows[split].sum(axis=1)).ravel().astype(int)


def _percentiles(lengths: np.ndarray) -> dict[str, Any]:
    # Lengths are counts: a percentile is one that a row has.
    values = np.percentile(lengths, PERCENTILES, method="inverted_cdf")
    named = {f"p{p}": int(value) for p, value in zip(PERCENTILES, values, strict=True)}
    return {**named, "longest": int(lengths.max()), "mean": float(lengths.mean())}


def _split(context: AuditContext, split: str, lengths: np.ndarray) -> dict[str, Any]:
    spread, cut = _percentiles(lengths), _cut(context, split, lengths)
    longest = max(spread["longest"], cut.pop("longest"))
    return {**spread, "longest": longest, **cut, "without_words": int(_without_words(context, split).sum())}


def _in_words(one: dict[str, Any], unit: str) -> str:
    return f"median {one['p50']} {unit}, 99 % of rows up to {one['p99']}, longest {one['longest']}"


def _cut(context: AuditContext, split: str, lengths: np.ndarray) -> dict[str, Any]:
    """Which rows lose tokens: those that fill `max_length` are counted again without cutting, at most 5,000 of them."""
    nothing = {"cut": 0, "cut_share": 0.0, "tokens_lost_share": 0.0, "measured": 0, "longest": 0}
    most, measure, rows = context.facts.max_length, context.facts.measure, context.splits[split]
    if most is None or not context.facts.lengths:
        return nothing
    full = np.flatnonzero(lengths >= most)
    roles, columns = context.text_roles, context.data.columns
    plain = len(roles) < 3 and all(columns[role].kind == "text" for role in roles)
    if measure is None or len(full) == 0 or not plain or len(lengths) != len(rows):
        # What fills the length counts as cut: nothing more is known, or a row has several examples.
        return {**nothing, "cut": len(full), "cut_share": len(full) / len(lengths)}
    at = full[context.sample(len(full), MOST_MEASURED)]
    chosen = rows.select_columns(roles)[at]
    texts = [[text or "" for text in chosen[role]] for role in roles]
    whole = np.asarray(measure(texts[0], texts[1] if len(roles) > 1 else None))
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
    cut = [f"{one['cut']:,} ({percent(one['cut_share'])})", percent(one["tokens_lost_share"])] if most else []
    return [*cells, *cut]


def _histogram(lengths: dict[str, np.ndarray], title: str, unit: str, most: int | None) -> Histogram:
    longest = max(int(part.max()) for part in lengths.values())
    step = max(1, -(-(longest + 1) // 40))
    edges = np.arange(0, longest + 1 + step, step)
    title += ", after cutting" if most and longest >= most else ""
    lines = {f"max_length={most}": float(most)} if most and most <= 3 * longest else {}
    return replace(histogram(title, edges - 0.5, lengths, unit), lines=lines)


def _wordless(context: AuditContext) -> list[Example]:
    rows = [(split, context.text_rows(split)[_without_words(context, split)][:SHOWN]) for split in context.splits]
    places = [(split, at) for split, ats in rows for at in ats.tolist()][:SHOWN]
    return [Example("a text without a word", [context.shown(split, at)]) for split, at in places]
