"""The 1,400 short reviews that ship with Tunebook. Needs no download."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tunebook.data.sources import files
from tunebook.data.sources.base import SPLITS, LoadContext, SourceOptions
from tunebook.errors import Problem

if TYPE_CHECKING:
    from datasets import DatasetDict

FOLDER = Path(__file__).parents[1] / "reviews"


class Options(SourceOptions):
    """The reviews have no settings: columns text, label and topic, splits train, validation and test."""


def given_splits(options: Options) -> set[str]:
    """All three splits."""
    return set(SPLITS)


def place(options: Options, split: str) -> str:
    """The split's file name."""
    return files.place(_files(), split)


def preflight(options: Options, context: LoadContext) -> list[Problem]:
    """Columns that the reviews lack."""
    return files.preflight(_files(), context)


def load(options: Options, context: LoadContext) -> DatasetDict:
    """The three splits."""
    return files.load(_files(), context)


def _files() -> files.Options:
    train, validation, test = (str(FOLDER / f"{split}.jsonl") for split in SPLITS)
    return files.Options(train=train, validation=validation, test=test)
