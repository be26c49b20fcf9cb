"""How well a simple classifier separates training rows from those of the other splits, and by what.

A model is evaluated on rows that should be like those it learns from; an AUC of 0.5 means that they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tunebook.data.audit import features, separability
from tunebook.data.audit.check_result import Bars, CheckResult, Histogram, Level, Table, histogram, number, percent
from tunebook.data.audit.context import AuditContext
from tunebook.data.audit.features import Features
from tunebook.data.audit.separability import Separability

MOST_ROWS, MOST_IMAGES, FEWEST = 5000, 2000, 20
NOTED, WARNED = 0.55, 0.75
MOST_FEATURES, NAMED, BARS = 15, 3, 10


@dataclass(frozen=True)
class Pair:
    """Train and another split: how well they can be separated, and by which features.

    Args:
        other: name of the other split.
        rows: how many were compared, of train and of the other.
        separability: of the two.
        features: that the classifier was given.
        top: positions of the features that separate most, the strongest first.
        means: average of each feature in train and in the other, (2, features).
    """

    other: str
    rows: tuple[int, int]
    separability: Separability
    features: Features
    top: np.ndarray
    means: np.ndarray


def check(context: AuditContext) -> CheckResult | str:
    """AUC of train against test and against validation, each with its interval."""
    if "train" not in context.splits or not (context.text_roles or context.image_role):
        return "there are no training rows with texts or images"
    others = [split for split in ("test", "validation") if split in context.splits]
    pairs = [pair for split in others if (pair := _pair(context, split)) is not None]
    if not pairs:
        return f"it takes two splits of {FEWEST} different rows or more"
    numbers = {f"train and {pair.other}": _numbers(pair) for pair in pairs}
    apart = [pair for pair in pairs if _level(pair.separability) != "fine"]
    levels = [_level(pair.separability) for pair in pairs]
    return CheckResult(
        words="; ".join(_words(pair) for pair in pairs),
        level="warning" if "warning" in levels else "note" if "note" in levels else "fine",
        numbers={"method": _method(context), "pairs": numbers},
        tables=[_table(pair) for pair in apart],
        plots=[plot for pair in pairs for plot in _plots(pair)],
    )


def _pair(context: AuditContext, other: str) -> Pair | None:
    images = not context.text_roles
    counts = [len(context.images(split).at if images else context.text_rows(split)) for split in ("train", other)]
    if min(counts) < FEWEST:
        return None
    most = MOST_IMAGES if images else MOST_ROWS
    parts = [(split, context.sample(count, most)) for split, count in zip(("train", other), counts, strict=True)]
    seen = features.of_images(context, parts) if images else features.of_texts(context, parts)
    rows = (len(parts[0][1]), len(parts[1][1]))
    second = np.repeat([0, 1], rows)
    separation = separability.separate(seen.matrix, second, seen.groups, seen.strength, context.facts.seed)
    if separation is None:
        return None
    means = np.stack([np.asarray(seen.values[second == which].mean(axis=0)).ravel() for which in (0, 1)])
    top = np.argsort(-np.abs(separation.weights), kind="stable")[:MOST_FEATURES]
    return Pair(other, rows, separation, seen, top[separation.weights[top] != 0], means)


def _level(separation: Separability) -> Level:
    return "warning" if separation.low > WARNED else "note" if separation.low > NOTED else "fine"


def _words(pair: Pair) -> str:
    separation = pair.separability
    figures = f"AUC {separation.auc:.2f} ({separation.low:.2f} to {separation.high:.2f})"
    if _level(separation) == "fine":
        return f"{pair.other} is like train: {figures}"
    named = ", ".join(pair.features.names[at] for at in pair.top[:NAMED])
    return f"{pair.other} differs from train: {figures}, by {named}"


def _numbers(pair: Pair) -> dict[str, Any]:
    separation = pair.separability
    return {
        "auc": separation.auc,
        "low": separation.low,
        "high": separation.high,
        "rows": {"train": pair.rows[0], pair.other: pair.rows[1]},
        "features": [
            {"feature": pair.features.names[at], "weight": separation.weights[at], "train": first, pair.other: second}
            for at, (first, second) in zip(pair.top, pair.means[:, pair.top].T.tolist(), strict=True)
        ],
    }


def _method(context: AuditContext) -> str:
    kind = "8 x 8 thumbnails, size, mode and format" if not context.text_roles else "TF-IDF of words and style"
    most = MOST_IMAGES if not context.text_roles else MOST_ROWS
    return (
        f"logistic regression on {kind}, at most {most:,} rows a split (seed {context.facts.seed}), mean AUC of "
        "5 grouped folds, 95 % interval by DeLong, corrected for training rows that folds share"
    )


def _table(pair: Pair) -> Table:
    rows: list[list[str | int | float]] = []
    for at in pair.top.tolist():
        write = percent if pair.features.shares[at] else number
        first, second = pair.means[:, at].tolist()
        points_to = pair.other if pair.separability.weights[at] > 0 else "train"
        rows.append([pair.features.names[at], write(first), write(second), points_to])
    title = f"What separates {pair.other} from train, the strongest first"
    return Table(title, ["feature", "mean in train", f"mean in {pair.other}", "speaks for"], rows)


def _plots(pair: Pair) -> list[Bars | Histogram]:
    edges = np.linspace(0, 1, 26)
    first, second = np.split(pair.separability.scores, [pair.rows[0]])
    scores, axis = {"train": first, pair.other: second}, f"probability of {pair.other}, out of fold"
    plots: list[Bars | Histogram] = [histogram(f"Train or {pair.other}?", edges, scores, axis)]
    shares = [at for at in pair.top.tolist() if pair.features.shares[at]][:BARS]
    if _level(pair.separability) != "fine" and shares:
        train, other = (100 * pair.means[:, shares]).tolist()
        names = [pair.features.names[at] for at in shares]
        plots.append(
            Bars(f"What separates {pair.other} from train", names, {"train": train, pair.other: other}, "mean in %")
        )
    return plots
