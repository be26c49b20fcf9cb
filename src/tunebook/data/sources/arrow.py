"""Folders that `save_to_disk` of `datasets` wrote: a DatasetDict, or a Dataset a split. Knows no column's meaning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook.data.columns import absent
from tunebook.data.reading.paths import END_OF_STREAM, ends_with, is_file, is_folder, missing
from tunebook.data.sources.base import SPLITS, LoadContext, SourceOptions
from tunebook.errors import DataError, DataFileMissing, Problem, did_you_mean

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


class Options(SourceOptions):
    """Either one folder of a DatasetDict, or one of a Dataset for each split.

    Args:
        path: a folder that `DatasetDict.save_to_disk` wrote; or one of `Dataset.save_to_disk`, which is train.
        splits: our split to the folder's, for `path`; None: those that are named train, validation and test.
        train: a folder that `Dataset.save_to_disk` wrote, instead of `path`.
        validation: likewise.
        test: likewise.
    """

    path: str | None = None
    splits: dict[str, str] | None = None
    train: str | None = None
    validation: str | None = None
    test: str | None = None


def given_splits(options: Options) -> set[str]:
    """The splits that the recipe names."""
    return set(options.splits or {}) | {split for split in SPLITS if getattr(options, split)}


def place(options: Options, split: str) -> str:
    """The split's folder."""
    said = getattr(options, split)
    return Path(said).name if said else f"{Path(options.path or '').name}/{(options.splits or {}).get(split, split)}"


def preflight(options: Options, context: LoadContext) -> list[Problem]:
    """Folders that are not there or not whole, unknown splits, and columns that they lack."""
    folders, problems = _folders(options, context)
    for split, folder in folders.items():
        if _no_dataset("", folder):
            continue
        try:
            _check_whole(folder)
            names = list(_json(folder / "dataset_info.json").get("features") or {})
        except DataError as error:
            problems += error.problems
            continue
        problems += absent(context.roles, context.required, names, place(options, split))
    return problems


def load(options: Options, context: LoadContext) -> DatasetDict:
    """The splits, mapped from disk.

    Raises:
        DataFileMissing: a folder is not there.
        DataError: a folder is not whole, every one of them.
    """
    from datasets import DatasetDict

    folders, problems = _folders(options, context)
    if problems:
        gone = not folders
        raise (DataFileMissing if gone else DataError)(problems)
    splits: dict[str, Dataset] = {}
    for split, folder in folders.items():
        try:
            _check_whole(folder)
            splits[split] = _loaded(folder, place(options, split))
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return DatasetDict(splits)


def _folders(options: Options, context: LoadContext) -> tuple[dict[str, Path], list[Problem]]:
    said = {split: getattr(options, split) for split in SPLITS if getattr(options, split)}
    if bool(said) == bool(options.path):
        return {}, [Problem("dataset.path", "give either dataset.path or dataset.train (and validation, test)")]
    if said and "train" not in said:
        return {}, [Problem("dataset.train", "must be given with dataset.validation and dataset.test")]
    if said and options.splits:
        return {}, [Problem("dataset.splits", "names splits of dataset.path; with dataset.train take it out")]
    if said:
        folders = {split: context.cwd / Path(name).expanduser() for split, name in said.items()}
        return folders, [p for split, folder in folders.items() for p in _no_dataset(f"dataset.{split}", folder)]
    root = context.cwd / Path(options.path or "").expanduser()
    if is_folder(root) and is_file(root / "dataset_dict.json"):
        return _splits_in(root, options)
    wrong = _no_dataset("dataset.path", root)
    if options.splits and not wrong:
        wrong = [Problem("dataset.splits", f"{root.name} holds one Dataset without splits; take it out")]
    return ({} if wrong else {"train": root}), wrong


def _splits_in(root: Path, options: Options) -> tuple[dict[str, Path], list[Problem]]:
    try:
        there = [str(name) for name in _json(root / "dataset_dict.json").get("splits") or []]
    except DataError as error:
        return {}, error.problems
    problems = [
        Problem(f"dataset.splits.{split}", f"unknown split; {did_you_mean(split, SPLITS)}")
        for split in options.splits or {}
        if split not in SPLITS
    ]
    names = options.splits or {split: split for split in SPLITS if split in there}
    if not names:
        problems.append(Problem("dataset.splits", f"must be given; {root.name} has: {', '.join(there)}"))
    problems += [
        Problem(f"dataset.splits.{ours}", f"{root.name} has no split {theirs!r}; {did_you_mean(theirs, there)}")
        for ours, theirs in names.items()
        if theirs not in there
    ]
    folders = {} if problems else {ours: root / theirs for ours, theirs in names.items()}
    problems += [problem for folder in folders.values() for problem in _no_dataset("dataset.path", folder)]
    return folders, problems


def _no_dataset(key: str, folder: Path) -> list[Problem]:
    if not is_folder(folder):
        return [missing(key, folder)]
    if is_file(folder / "dataset_dict.json"):
        return [Problem(key, f"{folder.name} holds several splits; give it as dataset.path")]
    lacking = [name for name in ("dataset_info.json", "state.json") if not is_file(folder / name)]
    if lacking:
        message = f"{folder.name} lacks {' and '.join(lacking)}: it is no whole folder of save_to_disk"
        return [Problem(key, message)]
    return []


def _check_whole(folder: Path) -> None:
    """Refuse a folder whose shards are not all there, or one of which is cut short.

    Raises:
        DataError: every shard that is missing or cut short.
    """
    shards = _json(folder / "state.json").get("_data_files")
    names = [str(entry["filename"]) for entry in shards or [] if isinstance(entry, dict) and "filename" in entry]
    problems = []
    if not names:
        problems.append(Problem(f"{folder.name}/state.json", "names no Arrow files: it has no rows, or is damaged"))
    for name in names:
        file = folder / name
        if not is_file(file):
            problems.append(Problem(f"{folder.name}/{name}", f"is missing; state.json names {len(names)} files"))
        elif not _is_whole(file):
            problems.append(Problem(f"{folder.name}/{name}", "is cut short: the end of an Arrow stream is missing"))
    if problems:
        raise DataError(problems)


def _is_whole(file: Path) -> bool:
    try:
        return ends_with(file, END_OF_STREAM)
    except OSError as error:
        raise DataError(Problem(f"{file.parent.name}/{file.name}", f"cannot be read: {error.strerror}")) from None


def _json(file: Path) -> dict[str, Any]:
    name = f"{file.parent.name}/{file.name}"
    try:
        found = json.loads(file.read_bytes())
    except OSError as error:
        raise DataError(Problem(name, f"cannot be read: {error.strerror}")) from None
    except (ValueError, RecursionError):
        raise DataError(Problem(name, "is damaged: it is no JSON")) from None
    if not isinstance(found, dict):
        raise DataError(Problem(name, "is damaged: it holds no object"))
    return found


def _loaded(folder: Path, where: str) -> Dataset:
    import pyarrow
    from datasets import load_from_disk

    from tunebook.data.reading.tables import check_text

    try:
        found = load_from_disk(str(folder))
    except (pyarrow.ArrowException, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        said = " ".join(str(error).split())[:300]
        raise DataError(Problem(where, f"is no whole folder of save_to_disk (cut short or damaged): {said}")) from None
    if not len(found):
        raise DataError(Problem(where, "has columns and no rows"))
    check_text(found.data.table, where)
    return found.with_format(None)
