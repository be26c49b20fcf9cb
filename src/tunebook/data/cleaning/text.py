"""Writes every text in one form: white space and Unicode. Knows nothing of what else is wrong with a row."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow
from datasets import Dataset, DatasetDict, Features

from tunebook.config.schema import CleaningConfig
from tunebook.data import chunks
from tunebook.data.columns import ROW, Column
from tunebook.data.reading.storage import cache_errors

logger = logging.getLogger("tunebook")

_SPACES = re.compile(r"\s+")
UNTOUCHED = {ROW, "group", "time", "weight"}
"""Columns that are no text of a row, or that are compared as they are."""


def normalize(splits: DatasetDict, cleaning: CleaningConfig, columns: Mapping[str, Column]) -> DatasetDict:
    """The splits with their texts, tokens and messages in the form that `whitespace` and `unicode` say.

    Targets stay as they are, and so does everything where a target points into a text by its characters.
    """
    form = _form(cleaning)
    if form is None:
        return splits
    if any(column.kind == "spans" for column in columns.values()):
        logger.warning("cleaning.whitespace and cleaning.unicode are skipped: spans count characters of the texts")
        return splits
    targets = {role for role, column in columns.items() if column.target}
    return DatasetDict({name: _normalized(split, form, targets) for name, split in splits.items()})


def changed(split: Dataset, change: Callable[[pyarrow.Table], pyarrow.Table], features: Features) -> Dataset:
    """The split with each piece of its table changed; written to the cache where the split is mapped from it.

    Raises:
        DataError: the cache cannot be written.
    """
    with cache_errors():
        done = split.with_format("arrow").map(
            change, batched=True, batch_size=chunks.ROWS, features=features, desc="Cleaning"
        )
    return done.with_format(None)


def _form(cleaning: CleaningConfig) -> Callable[[str], str] | None:
    form, whitespace = cleaning.unicode, cleaning.whitespace
    if form == "keep" and whitespace == "keep":
        return None

    def formed(text: str) -> str:
        text = text if form == "keep" else unicodedata.normalize(form, text)
        # After NFKC, which turns other spaces into blanks and may leave some at the ends.
        if whitespace == "collapse":
            text = _SPACES.sub(" ", text)
        return text if whitespace == "keep" else text.strip()

    return formed


def _normalized(split: Dataset, form: Callable[[str], str], targets: set[str]) -> Dataset:
    roles = [
        role for role in split.column_names if role not in UNTOUCHED | targets and holds_text(split.features[role])
    ]

    def one(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: one(inner) if key == "content" else inner for key, inner in value.items()}
        if isinstance(value, list):
            return [one(inner) for inner in value]
        return form(value) if isinstance(value, str) else value

    def normalized(table: pyarrow.Table) -> pyarrow.Table:
        for role in roles:
            column = table.column(role)
            values = pyarrow.array([one(value) for value in column.to_pylist()], column.type)
            table = table.set_column(table.column_names.index(role), role, values)
        return table

    return changed(split, normalized, split.features) if roles else split


def holds_text(feature: Any) -> bool:
    """Whether a column holds texts, lists of texts, or messages."""
    while hasattr(feature, "feature"):
        feature = feature.feature
    feature = feature.get("content") if isinstance(feature, dict) else feature
    return getattr(feature, "dtype", None) in {"string", "large_string"}
