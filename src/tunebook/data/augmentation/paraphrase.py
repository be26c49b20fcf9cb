"""Paraphrases that the user supplies, added to the training rows: marked, weighted, and in no other split.

Knows prepared data alone. Nothing is generated here: the texts are in the column `dataset.columns.paraphrase`.
"""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from tunebook.data.augmentation import none
from tunebook.data.augmentation.base import AugmentationOptions
from tunebook.errors import DataError, Problem

if TYPE_CHECKING:
    from datasets import Dataset

    from tunebook.config.data_groups import CleaningConfig
    from tunebook.data.prepare import PreparedData

logger = logging.getLogger("tunebook")

ROLES = {"text"}
COLUMNS = {"paraphrase"}
"""Auxiliary columns that `dataset.columns` must name."""
ORIGIN = "origin"
"""Column of where a row comes from: `source` or `paraphrase`."""


class Options(AugmentationOptions):
    """Which paraphrases are added and how much they count.

    Args:
        weight: of an added row in the loss, against 1 for the row that it paraphrases; weights are then scaled to
            mean 1.
        most: paraphrases of each row, the first ones; None: all.
    """

    weight: float = Field(default=0.5, gt=0, le=1)
    most: int | None = Field(default=None, ge=1)


Paraphrase = tuple[int, str]
"""The position of the row that it paraphrases, and its text."""


class Augmentation(none.Augmentation):
    """Rows as they are; the paraphrases are rows of their own (`add_rows`)."""

    options: Options


def add_rows(data: PreparedData, options: Options, cleaning: CleaningConfig | None = None) -> PreparedData:
    """The data with its training rows' paraphrases as more training rows.

    Called after splits are carved and leaks removed, so that a paraphrase follows its row: one of a validation or
    test row is never added. Every split gets the column `origin` and loses `paraphrase`; an added row has the `row`
    number, the label and the other columns of its original. Not added, and counted in the log: empty ones, those
    that repeat a training row, and those that are in validation or test (white space and case aside) or, where
    near leaks are dropped, are almost like a row there.

    Args:
        data: prepared.
        options: of this method.
        cleaning: the configuration's `cleaning`; None: near leaks are not searched for.

    Raises:
        DataError: the training rows have no column of paraphrases, or it holds something else than texts.
    """
    from datasets import DatasetDict, concatenate_datasets

    from tunebook.data.cleaning.weights import scaled

    train = data.splits["train"]
    if "paraphrase" not in train.column_names:
        message = "must name the column of paraphrases, each a text or a list of texts, for augmentation=paraphrase"
        raise DataError(Problem("dataset.columns.paraphrase", message))
    added, left_out = _paraphrases(data, options.most)
    if cleaning is not None and cleaning.near_leaks == "drop" and (alike := _near_leaks(data, added, cleaning)):
        left_out["almost like a row of validation or test"] = len(alike)
        added = [one for at, one in enumerate(added) if at not in alike]
    positions = [at for at, _ in added]
    splits = DatasetDict({name: _marked(split) for name, split in data.splits.items()})
    if added:
        rows = splits["train"].select(positions).remove_columns([ORIGIN, "text"])
        rows = rows.add_column("text", [text for _, text in added]).add_column(ORIGIN, ["paraphrase"] * len(added))
        rows = rows.select_columns(splits["train"].column_names).cast(splits["train"].features)
        splits["train"] = concatenate_datasets([splits["train"], rows])
    reasons = "".join(f"; {count} left out: {why}" for why, count in left_out.items())
    message = "%d paraphrases added to %d training rows, with weight %g%s"
    logger.info(message, len(added), len(train), options.weight, reasons)
    own = np.ones(len(train)) if data.weights is None else np.asarray(data.weights, dtype=float)
    weights = scaled(np.concatenate([own, own[positions] * options.weight]))
    return dataclasses.replace(data, splits=splits, weights=weights)


def _paraphrases(data: PreparedData, most: int | None) -> tuple[list[Paraphrase], Counter[str]]:
    """Those that are rows of their own, and how many were left out for which reason."""
    train = data.splits["train"]
    held = {_normalized(row) for row in _held(data)}
    known = {_normalized(row) for row in _inputs(train)}
    added: list[Paraphrase] = []
    left_out: Counter[str] = Counter()
    rows = zip(_inputs(train), train["paraphrase"][:], train["row"][:], strict=True)
    for position, (row, value, number) in enumerate(rows):
        for text in _texts(value, number)[:most]:
            key = _normalized((text, row[1]))
            if not text.strip():
                left_out["empty"] += 1
            elif key in held:
                left_out["is in validation or test"] += 1
            elif key in known:
                left_out["repeats a training row"] += 1
            else:
                known.add(key)
                added.append((position, text))
    return added, left_out


def _near_leaks(data: PreparedData, added: list[Paraphrase], cleaning: CleaningConfig) -> set[int]:
    """Places in `added` of what a training row would have been dropped for."""
    from tunebook.data import near

    train = _inputs(data.splits["train"])
    roles = 2 if "text_pair" in data.splits["train"].column_names else 1
    own = [(text, train[at][1] or "")[:roles] for at, text in added]
    held = [(first or "", second or "")[:roles] for first, second in _held(data)]
    return {at for _, at, _ in near.alike_across(held, own, cleaning.similarity)}


def _held(data: PreparedData) -> list[tuple[Any, Any]]:
    """The inputs of validation and test."""
    return [row for name, split in data.splits.items() if name != "train" for row in _inputs(split)]


def _inputs(split: Dataset) -> list[tuple[Any, Any]]:
    pairs = split["text_pair"][:] if "text_pair" in split.column_names else [None] * len(split)
    return list(zip(split["text"][:], pairs, strict=True))


def _normalized(row: tuple[Any, Any]) -> tuple[str, str]:
    first, second = (" ".join(str(text or "").split()).casefold() for text in row)
    return first, second


def _texts(value: Any, row: int) -> list[str]:
    if value is None:
        return []
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(text is None or isinstance(text, str) for text in texts):
        message = f"must hold a text or a list of texts, not {value!r}"
        raise DataError(Problem("dataset.columns.paraphrase", message, f"train, row {row}"))
    return [text or "" for text in texts]


def _marked(split: Dataset) -> Dataset:
    marked = split.remove_columns([name for name in ("paraphrase",) if name in split.column_names])
    return marked.add_column(ORIGIN, ["source"] * len(split))
