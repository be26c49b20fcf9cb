"""What every source shares: the base of its options and what it is given with them. Knows no one source.

A source file `tunebook/data/sources/NAME.py` holds `Options` and `load(options, context) -> DatasetDict`. It may
also hold `preflight(options, context) -> list[Problem]`, which is cheap and imports neither torch nor datasets,
`given_splits(options) -> set[str]`, and `place(options, split) -> str`, the name of a split in messages.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tunebook.config.options import Options
from tunebook.errors import DataError, Problem, did_you_mean

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

SPLITS = ("train", "validation", "test")


class SourceOptions(Options):
    """The base of a source's own settings."""


@dataclass(frozen=True)
class LoadContext:
    """What a source is given with its options.

    Args:
        roles: role (text, label, …) to the source's column, as the recipe says or by the role's own name; to several
            where the labels are in one column each.
        required: the roles that must be there.
        cwd: the folder that relative paths start from.
    """

    roles: dict[str, str | list[str]] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    cwd: Path = field(default_factory=Path.cwd)


def stated_folders(options: Options, cwd: Path) -> tuple[dict[str, Path], list[Problem]]:
    """The folders that a source's options path, train, validation and test name: `path` alone, or one a split."""
    stated = {name: getattr(options, name) for name in ("path", *SPLITS) if getattr(options, name)}
    if ("path" in stated) == bool(stated.keys() - {"path"}):
        return {}, [Problem("dataset.path", "give either dataset.path or dataset.train (and validation, test)")]
    if not stated.keys() & {"path", "train"}:
        return {}, [Problem("dataset.train", "must be given with dataset.validation and dataset.test")]
    return {name: cwd / Path(folder).expanduser() for name, folder in stated.items()}, []


def splits_with_files(options: Options) -> set[str]:
    """The splits that have files of their own."""
    return {split for split in SPLITS if getattr(options, split)}


def file_place(options: Options, split: str) -> str:
    """The file's name, where the split is one file."""
    stated = getattr(options, split) or []
    names = [stated] if isinstance(stated, str) else stated
    return Path(names[0]).name if len(names) == 1 else split


def unknown_splits(splits: Mapping[str, str] | None) -> list[Problem]:
    """The splits of an option `splits` that are none of Tunebook's."""
    return [
        Problem(f"dataset.splits.{split}", f"unknown split; {did_you_mean(split, SPLITS)}")
        for split in splits or {}
        if split not in SPLITS
    ]


def chosen_splits(
    splits: Mapping[str, str] | None, there: Collection[str], place: str
) -> tuple[dict[str, str], list[Problem]]:
    """Our split to the source's, by the option `splits` or by equal names, and the problems of the choice."""
    names = dict(splits or {split: split for split in SPLITS if split in there})
    if not names:
        return {}, [Problem("dataset.splits", f"must be given; {place} has: {', '.join(there)}")]
    return names, [
        Problem(f"dataset.splits.{ours}", f"{place} has no split {theirs!r}; {did_you_mean(theirs, there)}")
        for ours, theirs in names.items()
        if theirs not in there
    ]


def each_split(names: Iterable[str], load: Callable[[str], Dataset]) -> DatasetDict:
    """The splits that `load` gives; where it refuses some, a `DataError` with the problems of all of them."""
    from datasets import DatasetDict

    splits, problems = DatasetDict(), []
    for name in names:
        try:
            splits[name] = load(name)
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return splits
