"""Paraphrases that the user supplies, added to the training rows: marked, weighted, and in no other split.

Knows prepared data alone. Nothing is generated here: the texts are in the column `dataset.columns.paraphrase`.
"""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

from pydantic import Field

from tunebook.data.augmentation.base import AugmentationOptions, Mix, Mixed
from tunebook.data.row_key import RowKey
from tunebook.errors import DataError, Problem

if TYPE_CHECKING:
    import numpy as np
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


class Augmentation:
    """Rows as they are; the paraphrases are rows of their own (`add_rows`)."""

    active = False
    mixes: Mixed | None = None

    def __init__(self, options: Options, seed: int) -> None:
        self.options = options

    def apply(self, rows: dict[str, list[Any]], keys: list[RowKey]) -> dict[str, list[Any]]:
        """The rows themselves."""
        return rows

    def mix(self, keys: list[RowKey], rows: int) -> list[Mix | None]:
        """No row with any other."""
        return [None for _ in keys]


def add_rows(data: PreparedData, options: Options, cleaning: CleaningConfig | None = None) -> PreparedData:
    """The data with its training rows' paraphrases as more training rows.

    Called after splits are carved and leaks taken out, so that a paraphrase follows its row: one of a validation or
    test row is never added. Every split gets the column `origin` and loses `paraphrase`; an added row has the `row`
    number, the label and the other columns of its original. Not added, and counted in the log: empty ones, those
    that repeat a training row, and those that are in validation or test (white space and case aside) or, where
    near leaks are dropped, are almost like a row there.

    Args:
        data: prepared.
        options: of this method.
        cleaning: the configuration's `cleaning`; None: near leaks are not looked for.

    Raises:
        DataError: the training rows have no column of paraphrases, or it holds something else than texts.
    """
    from datasets import DatasetDict, concatenate_datasets

    train = data.splits["train"]
    if "paraphrase" not in train.column_names:
        message = "must name the column of paraphrases, each a text or a list of texts, for augmentation=paraphrase"
        raise DataError(Problem("dataset.columns.paraphrase", message))
    positions, texts, left_out = _wanted(data, options.most)
    if cleaning is not None and cleaning.near_leaks == "drop":
        positions, texts, left_out = _without_near_leaks(data, positions, texts, left_out, cleaning.similarity)
    splits = DatasetDict({name: _marked(split, "source") for name, split in data.splits.items()})
    added = len(positions)
    if added:
        rows = splits["train"].select(positions).remove_columns([ORIGIN, "text"])
        rows = rows.add_column("text", texts).add_column(ORIGIN, ["paraphrase"] * added)
        rows = rows.select_columns(splits["train"].column_names).cast(splits["train"].features)
        splits["train"] = concatenate_datasets([splits["train"], rows])
    logger.info("%d paraphrases added to %d training rows, with weight %g%s", added, len(train), options.weight,
                "".join(f"; {count} left out: {why}" for why, count in left_out.items()))  # fmt: skip
    return dataclasses.replace(
        data,
        splits=splits,
        weights=_weights(data.weights, len(train), positions, options.weight),
    )


def _wanted(data: PreparedData, most: int | None) -> tuple[list[int], list[str], Counter[str]]:
    """Positions of the rows to add another text of, those texts, and how many were left out for which reason."""
    train = data.splits["train"]
    held = {_input(row) for name, split in data.splits.items() if name != "train" for row in _inputs(split)}
    known = {_input(row) for row in _inputs(train)}
    positions: list[int] = []
    texts: list[str] = []
    left_out: Counter[str] = Counter()
    rows = zip(_inputs(train), train["paraphrase"][:], train["row"][:], strict=True)
    for position, (row, value, number) in enumerate(rows):
        for text in _texts(value, number)[:most]:
            key = _input((text, row[1]))
            if not text.strip():
                left_out["empty"] += 1
            elif key in held:
                left_out["is in validation or test"] += 1
            elif key in known:
                left_out["repeats a training row"] += 1
            else:
                known.add(key)
                positions.append(position)
                texts.append(text)
    return positions, texts, left_out


def _without_near_leaks(
    data: PreparedData, positions: list[int], texts: list[str], left_out: Counter[str], similarity: float
) -> tuple[list[int], list[str], Counter[str]]:
    """As `_wanted`, without what a training row would have been dropped for."""
    from tunebook.data import near

    train = _inputs(data.splits["train"])
    pairs = "text_pair" in data.splits["train"].column_names
    added = [(text, train[at][1] or "") if pairs else (text,) for at, text in zip(positions, texts, strict=True)]
    held = [row for name, split in data.splits.items() if name != "train" for row in _inputs(split)]
    others = [(first or "", second or "") if pairs else (first or "",) for first, second in held]
    alike = {at for _, at, _ in near.alike_across(others, added, similarity)}
    unlike = [at for at in range(len(texts)) if at not in alike]
    if alike:
        left_out = left_out + Counter({"almost like a row of validation or test": len(alike)})
    return [positions[at] for at in unlike], [texts[at] for at in unlike], left_out


def _inputs(split: Dataset) -> list[tuple[Any, Any]]:
    pairs = split["text_pair"][:] if "text_pair" in split.column_names else [None] * len(split)
    return list(zip(split["text"][:], pairs, strict=True))


def _input(row: tuple[Any, Any]) -> tuple[str, str]:
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


def _marked(split: Dataset, origin: str) -> Dataset:
    marked = split.remove_columns([name for name in ("paraphrase",) if name in split.column_names])
    return marked.add_column(ORIGIN, [origin] * len(split))


def _weights(before: np.ndarray | None, rows: int, positions: list[int], weight: float) -> np.ndarray:
    import numpy as np

    from tunebook.data.cleaning.weights import scaled

    own = np.ones(rows) if before is None else np.asarray(before, dtype=float)
    return scaled(np.concatenate([own, own[positions] * weight]))
