"""Writes every text in one form: white space and Unicode. Knows nothing of what else is wrong with a row."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from datasets import Dataset, DatasetDict

from tunebook.config.schema import CleaningConfig
from tunebook.data.columns import ROW

_SPACES = re.compile(r"\s+")
UNTOUCHED = {ROW, "group", "time", "weight"}
"""Columns that are no text of a row, or that are compared as they stand."""


def normalised(splits: DatasetDict, cleaning: CleaningConfig, label: str | None) -> DatasetDict:
    """The splits with their texts in the form that `whitespace` and `unicode` say.

    Labels stay as they are. Every split is treated alike, so that training and evaluation read the same.
    """
    form = _form(cleaning)
    if form is None:
        return splits
    return DatasetDict({name: _formed(split, form, label) for name, split in splits.items()})


def _form(cleaning: CleaningConfig) -> Callable[[str], str] | None:
    steps: list[Callable[[str], str]] = []
    form = cleaning.unicode
    if form != "keep":
        steps.append(lambda text: unicodedata.normalize(form, text))
    # After NFKC, which turns other spaces into blanks and may leave some at the ends.
    if cleaning.whitespace == "strip":
        steps.append(str.strip)
    elif cleaning.whitespace == "collapse":
        steps.append(lambda text: _SPACES.sub(" ", text).strip())
    if not steps:
        return None

    def formed(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return formed


def _formed(split: Dataset, form: Callable[[str], str], label: str | None) -> Dataset:
    def one(value: Any) -> Any:
        if isinstance(value, str):
            return form(value)
        return [one(inner) for inner in value] if isinstance(value, list) else value

    order = split.column_names
    for role in order:
        if role in UNTOUCHED or role == label or not _holds_text(split, role):
            continue
        feature = split.features[role]
        values = [one(value) for value in split[role][:]]
        split = split.remove_columns(role).add_column(role, values, feature=feature)
    return split.select_columns(order)


def _holds_text(split: Dataset, role: str) -> bool:
    feature = split.features[role]
    while hasattr(feature, "feature"):
        feature = feature.feature
    return getattr(feature, "dtype", None) in {"string", "large_string"}
