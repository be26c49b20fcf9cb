"""Constants that give a label away: a word, a beginning or ending of texts; a size, mode or pixel of images.

A model learns such a constant instead of what was meant, and fails on rows without it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tunebook.data.audit.check_result import CheckResult, Example, Table, percent, quoted
from tunebook.data.audit.context import AuditContext

LEAST_ROWS, LEAST_COVER, LEAST_PRECISION = 20, 0.2, 0.98
LEAST_OTHERS, FEWER_OTHERS = 10, 10
SEVERE_COVER = 0.8
PIXEL_AUC = 0.995
NAMED, LISTED, SHOWN = 2, 30, 2


@dataclass(frozen=True)
class Giveaway:
    """A constant that is nearly only in rows of one label.

    Args:
        what: in words.
        label: id of the label.
        rows: training rows with the constant.
        precision: share of them that have the label.
        cover: share of the label's rows that have the constant.
        first: position of a row that has both.
    """

    what: str
    label: int
    rows: int
    precision: float
    cover: float
    first: int


def check(context: AuditContext) -> CheckResult | str:
    """Constants that identify at least a fifth of a label's training rows, with a precision of 98 % or more.

    A warning where one identifies four fifths.
    """
    if not context.has_classes or not (context.text_roles or context.image_role):
        return "training rows have no classes, or neither texts nor images"
    giveaways: list[Giveaway] = []
    if context.text_roles:
        at = context.text_rows("train")
        labels = context.indicators("train", at)
        in_texts = _telling(context.words.rows["train"], [quoted(name) for name in context.words.names], labels)
        for names, has in _edges(context.texts("train")):
            in_texts += _telling(has, names, labels)
        giveaways += [replace(one, first=int(at[one.first])) for one in in_texts]
    if context.image_role:
        giveaways += _in_images(context)
    giveaways.sort(key=lambda one: -one.cover * one.precision)
    names = list(context.names)
    words = "no word, beginning or ending" if context.text_roles else "no size, mode or pixel"
    words += " gives a label away"
    if giveaways:
        words = "; ".join(_words(one, names) for one in giveaways[:NAMED])
        words += f"; and {len(giveaways) - NAMED} more" if len(giveaways) > NAMED else ""
    rows: list[list[str | int | float]] = [
        [one.what, names[one.label], one.rows, percent(one.precision), percent(one.cover)] for one in giveaways[:LISTED]
    ]
    constant = "word" if context.text_roles else "constant"
    head = [constant, "label", "rows with it", "of them with the label", "of the label's rows"]
    return CheckResult(
        words=words,
        level="fine" if not giveaways else "warning" if any(one.cover >= SEVERE_COVER for one in giveaways) else "note",
        numbers={
            "least": {"rows": LEAST_ROWS, "cover": LEAST_COVER, "precision": LEAST_PRECISION},
            "sampled": {split: rows for split, rows in context.sampled_texts().items() if split == "train"},
            "found": [
                {"what": one.what, "label": names[one.label], "rows": one.rows}
                | {"precision": one.precision, "cover": one.cover}
                for one in giveaways
            ],
        },
        tables=[Table("", head, rows)] if giveaways else [],
        examples=[
            Example(f"{one.what} gives {quoted(names[one.label])} away", [context.shown("train", one.first)])
            for one in giveaways[:SHOWN]
        ],
    )


def _words(one: Giveaway, names: list[str]) -> str:
    label = quoted(names[one.label])
    precision = f"{percent(one.precision)} of its {one.rows:,} rows are {label}"
    return f"{one.what} gives {label} away: {precision}, {percent(one.cover)} of {label} have it"


def _telling(has: Any, names: list[str], labels: np.ndarray) -> list[Giveaway]:
    """Features that are nearly only in rows of one label; `has` is sparse 0/1, (rows, features)."""
    rows = np.asarray(has.sum(axis=0)).ravel()
    often = np.flatnonzero(rows >= LEAST_ROWS)
    if not len(often):
        return []
    with_label = np.asarray(has[:, often].T @ labels)
    size = labels.sum(axis=0)
    precision = with_label / rows[often, None]
    cover = with_label / np.maximum(size, 1)
    others = 1 - size / len(labels)
    telling = (with_label >= LEAST_ROWS) & (cover >= LEAST_COVER) & (precision >= LEAST_PRECISION)
    # By chance there would be ten rows of other labels or more, and there is not even a tenth of that.
    by_chance = rows[often, None] * others
    telling &= (by_chance >= LEAST_OTHERS) & (rows[often, None] - with_label <= by_chance / FEWER_OTHERS)
    giveaways = []
    for at, label in zip(*np.nonzero(telling), strict=True):
        column = has[:, [often[at]]].tocoo().row
        first = int(column[labels[column, label] > 0].min())
        share, part = float(precision[at, label]), float(cover[at, label])
        giveaways.append(Giveaway(names[often[at]], int(label), int(rows[often[at]]), share, part, first))
    return giveaways


def _edges(texts: list[str]) -> list[tuple[list[str], Any]]:
    """First words, last words and last signs, each as names and sparse 0/1 (rows, names)."""
    split = [text.split(None, 1) for text in texts]
    ends = [text.rsplit(None, 1) for text in texts]
    return [
        _coded([quoted(parts[0] if parts else "") for parts in split], "the beginning {}"),
        _coded([quoted(parts[-1] if parts else "") for parts in ends], "the ending {}"),
        _coded([quoted(text[-1:]) for text in texts], "the last sign {}"),
    ]


def _coded(values: list[Any], words: str) -> tuple[list[str], Any]:
    from scipy.sparse import csr_matrix

    numbers: dict[Any, int] = {}
    codes = np.asarray([numbers.setdefault(value, len(numbers)) for value in values])
    ones = np.ones(len(values), dtype=np.float32)
    has = csr_matrix((ones, (np.arange(len(values)), codes)), shape=(len(values), len(numbers)))
    return [words.format(value) for value in numbers], has


def _in_images(context: AuditContext) -> list[Giveaway]:
    images = context.images("train")
    labels = context.indicators("train", images.at)
    sizes = [f"{width} x {height}" for width, height in images.sizes.tolist()]
    giveaways = []
    for values, words in ((sizes, "the size {}"), (images.modes, "the mode {}"), (images.formats, "the format {}")):
        names, has = _coded(values, words)
        giveaways += _telling(has, names, labels)
    giveaways += _pixels(images.pixels.reshape(len(labels), -1), images.pixels.shape[1:3], labels)
    return [replace(one, first=int(images.at[one.first])) for one in giveaways]


def _pixels(pixels: np.ndarray, size: tuple[int, ...], labels: np.ndarray) -> list[Giveaway]:
    """Places of the thumbnail whose brightness alone separates a label from the others: the AUC of each, by ranks."""
    from scipy.stats import rankdata

    ranks = rankdata(pixels, axis=0)
    size_of = labels.sum(axis=0)
    others = len(labels) - size_of
    sums = ranks.T @ labels
    with np.errstate(divide="ignore", invalid="ignore"):
        auc = (sums - size_of * (size_of + 1) / 2) / (size_of * others)
    strength = np.where((size_of >= LEAST_ROWS) & (others >= LEAST_ROWS), np.abs(auc - 0.5), 0)
    giveaways = []
    for label in np.flatnonzero(strength.max(axis=0) >= PIXEL_AUC - 0.5).tolist():
        place = int(strength[:, label].argmax())
        y, x = divmod(place // 3, size[1])
        lighter = "lightness" if auc[place, label] > 0.5 else "darkness"
        what = f"the {lighter} at column {x + 1}, row {y + 1} of a grid of {size[1]} x {size[0]}"
        has = labels[:, label] > 0
        precision, cover, first = _cut_off(pixels[:, place], has, auc[place, label] > 0.5)
        giveaways.append(Giveaway(what, label, int(has.sum()), precision, cover, first))
    return giveaways


def _cut_off(values: np.ndarray, has: np.ndarray, above: bool) -> tuple[float, float, int]:
    """Precision, cover and a first row, cut half-way between the label's mean and that of the others."""
    middle = (values[has].mean() + values[~has].mean()) / 2
    marked = values > middle if above else values < middle
    right = marked & has
    return float(right.sum() / max(marked.sum(), 1)), float(right.sum() / has.sum()), int(np.flatnonzero(has)[0])
