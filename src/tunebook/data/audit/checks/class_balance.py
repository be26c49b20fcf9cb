"""How many rows each class has, and whether the splits agree; of numbers, how they are spread."""

from __future__ import annotations

from typing import Any

import numpy as np

from tunebook.data import chunks
from tunebook.data.audit.check_result import Bars, CheckResult, Table, histogram, number, percent, quoted
from tunebook.data.audit.context import AuditContext

IMBALANCED = 5
DRIFT_P, DRIFT_SHARE = 0.001, 0.02
MOST_BARS, MOST_ROWS = 30, 200


def check(context: AuditContext) -> CheckResult | str:
    """Shares of the classes, imbalance and drift."""
    if "train" not in context.splits or context.label is None:
        return "training rows have no labels"
    if context.has_classes:
        return _classes(context)
    numbers = getattr(context.splits["train"].features[context.label.role], "dtype", "") == "float64"
    return _numbers(context, context.label.role) if numbers else "labels are no classes and no numbers"


def _classes(context: AuditContext) -> CheckResult:
    names = list(context.names)
    multi = context.strata("train").ndim == 2
    counts = {split: context.counts(split) for split in context.splits}
    rows = {split: len(part) for split, part in context.splits.items()}
    train = counts["train"]
    order = np.argsort(-train, kind="stable")
    largest, smallest = int(order[0]), int(order[-1])
    ratio = train[largest] / max(train[smallest], 1)
    entropy = _entropy(train)
    drift = {split: _drift(counts, rows, split, names, multi) for split in counts if split != "train"}
    drifted = [split for split, one in drift.items() if one["p"] < DRIFT_P and one["largest_change"] > DRIFT_SHARE]
    words = f"{len(names)} {'labels' if multi else 'classes'}"
    if train[largest] == train[smallest]:
        words += f" with {train[largest]:,} rows each"
    else:
        words += f"; {quoted(names[largest])} has {ratio:.3g} times the rows of {quoted(names[smallest])}"
        words += f" ({train[smallest]:,})"
    numbers = {
        "rows": {split: dict(zip(names, part.tolist(), strict=True)) for split, part in counts.items()},
        "imbalance_ratio": ratio,
        "entropy_of_1": entropy,
        "drift": drift,
    }
    if multi:
        per_row = context.strata("train").sum(axis=1)
        words += f"; {number(float(per_row.mean()))} labels a row, {percent(float((per_row == 0).mean()))} without any"
        numbers |= {"labels_per_row": float(per_row.mean()), "share_without_labels": float((per_row == 0).mean())}
    for split in drifted:
        at = drift[split]
        words += f"; {split} has {percent(at['share'])} {quoted(at['label'])}, train {percent(at['train_share'])}"
    shown = order[:MOST_BARS]
    bars = {split: (100 * part[shown] / rows[split]).tolist() for split, part in counts.items()}
    title = "Share of rows with each label" if multi else "Share of each class"
    return CheckResult(
        words=words,
        level="note" if ratio >= IMBALANCED or drifted else "fine",
        numbers=numbers,
        tables=[_table(names, order[:MOST_ROWS], counts, rows)],
        plots=[Bars(title, [names[at] for at in shown], bars, "% of the split's rows")],
    )


def _entropy(counts: np.ndarray) -> float:
    """Of the class shares, as a part of the largest that so many classes can have."""
    shares = counts[counts > 0] / max(counts.sum(), 1)
    return float(-(shares * np.log(shares)).sum() / np.log(len(counts))) if len(counts) > 1 else 1.0


def _drift(
    counts: dict[str, np.ndarray], rows: dict[str, int], split: str, names: list[str], multi: bool
) -> dict[str, Any]:
    """How far a split's shares lie from those of train; p of the chi-square test that both come from one source."""
    from scipy.stats import chi2_contingency

    shares = {name: counts[name] / rows[name] for name in ("train", split)}
    changes = np.abs(shares["train"] - shares[split])
    at = int(changes.argmax())
    if not multi:
        table = np.stack([counts["train"], counts[split]])
        table = table[:, table.sum(axis=0) > 0]
        p = float(chi2_contingency(table, correction=False).pvalue) if table.shape[1] > 1 else 1.0
    else:
        # Labels of one row are not independent, so each is tested alone; the smallest p, times their number.
        tables = [
            np.array([[counts[name][label], rows[name] - counts[name][label]] for name in shares])
            for label in range(len(names))
        ]
        tests = [chi2_contingency(table, correction=False).pvalue for table in tables if table.sum(axis=0).all()]
        p = min([1.0, *(float(test) * len(tests) for test in tests)])
    return {
        "p": p,
        "largest_change": float(changes[at]),
        "label": names[at],
        "share": float(shares[split][at]),
        "train_share": float(shares["train"][at]),
    }


def _table(names: list[str], order: np.ndarray, counts: dict[str, np.ndarray], rows: dict[str, int]) -> Table:
    cells: list[list[str | int | float]] = [
        [names[at], *(f"{part[at]:,} ({percent(part[at] / rows[split])})" for split, part in counts.items())]
        for at in order.tolist()
    ]
    title = f"the {len(cells)} largest of {len(names)}" if len(cells) < len(names) else ""
    return Table(title, ["label", *counts], cells)


def _numbers(context: AuditContext, role: str) -> CheckResult:
    from scipy.stats import ks_2samp

    values = {name: chunks.column(split, role) for name, split in context.splits.items()}
    spread = {
        split: {"mean": part.mean(), "deviation": part.std(), "least": part.min(), "most": part.max()}
        for split, part in values.items()
    }
    others = {split: part for split, part in values.items() if split != "train"}
    drift = {split: {"p": float(ks_2samp(values["train"], part).pvalue)} for split, part in others.items()}
    train = spread["train"]
    least = 0.1 * max(train["deviation"], 1e-12)
    changes = {split: abs(spread[split]["mean"] - train["mean"]) for split in others}
    drifted = [split for split in others if drift[split]["p"] < DRIFT_P and changes[split] > least]
    words = f"numbers from {train['least']:g} to {train['most']:g}, {train['mean']:.3g} ± {train['deviation']:.3g}"
    words += "".join(f"; {split} {spread[split]['mean']:.3g} ± {spread[split]['deviation']:.3g}" for split in drifted)
    low, high = min(part.min() for part in values.values()), max(part.max() for part in values.values())
    edges = np.linspace(low, high if high > low else low + 1, 31)
    return CheckResult(
        words=words,
        level="note" if drifted else "fine",
        numbers={"spread": spread, "drift": drift},
        plots=[histogram("Labels", edges, values, "label")],
    )
