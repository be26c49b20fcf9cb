"""Folders that `save_to_disk` of `datasets` wrote: a DatasetDict, or a Dataset a split. Knows no column's meaning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook.data.columns import absent
from tunebook.data.reading.paths import END_OF_STREAM, ends_with, is_file, is_folder, missing, read_errors
from tunebook.data.sources.base import (
    SPLITS,
    LoadContext,
    SourceOptions,
    chosen_splits,
    each_split,
    stated_folders,
    unknown_splits,
)
from tunebook.errors import DataError, DataFileMissing, Problem

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


class Options(SourceOptions):
    """Either one folder of a DatasetDict, or one of a Dataset for each split.

    Args:
        path: a folder that `DatasetDict.save_to_disk` wrote; or one of `Dataset.save_to_disk`, which is train.
        splits: our split to the folder's, for `path`; None: those that are named train, validation and test.
        train: a folder that `Dataset.save_to_disk` wrote, in place of `path`.
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
    if folder := getattr(options, split):
        return Path(folder).name
    return f"{Path(options.path or '').name}/{(options.splits or {}).get(split, split)}"


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
    folders, problems = _folders(options, context)
    if problems:
        raise (DataError if folders else DataFileMissing)(problems)
    return each_split(folders, lambda split: _loaded(folders[split], place(options, split)))


def _folders(options: Options, context: LoadContext) -> tuple[dict[str, Path], list[Problem]]:
    folders, problems = stated_folders(options, context.cwd)
    if problems:
        return {}, problems
    if "path" not in folders and options.splits:
        return {}, [Problem("dataset.splits", "names splits of dataset.path; with dataset.train take it out")]
    if "path" not in folders:
        return folders, [p for split, folder in folders.items() for p in _no_dataset(f"dataset.{split}", folder)]
    root = folders["path"]
    if is_folder(root) and is_file(root / "dataset_dict.json"):
        return _splits_in(root, options)
    problems = _no_dataset("dataset.path", root)
    if options.splits and not problems:
        problems = [Problem("dataset.splits", f"{root.name} holds one Dataset without splits; take it out")]
    return ({} if problems else {"train": root}), problems


def _splits_in(root: Path, options: Options) -> tuple[dict[str, Path], list[Problem]]:
    try:
        there = [str(name) for name in _json(root / "dataset_dict.json").get("splits") or []]
    except DataError as error:
        return {}, error.problems
    names, problems = chosen_splits(options.splits, there, root.name)
    if problems := unknown_splits(options.splits) + problems:
        return {}, problems
    folders = {ours: root / theirs for ours, theirs in names.items()}
    return folders, [problem for folder in folders.values() for problem in _no_dataset("dataset.path", folder)]


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
    """Refuse a folder with shards that are missing or cut short, naming every one of them."""
    shards = _json(folder / "state.json").get("_data_files")
    names = [str(entry["filename"]) for entry in shards or [] if isinstance(entry, dict) and "filename" in entry]
    problems = []
    if not names:
        problems.append(Problem(f"{folder.name}/state.json", "names no Arrow files: it has no rows, or is damaged"))
    for name in names:
        file = folder / name
        key = f"{folder.name}/{name}"
        if not is_file(file):
            problems.append(Problem(key, f"is missing; state.json names {len(names)} files"))
            continue
        with read_errors(key):
            if not ends_with(file, END_OF_STREAM):
                problems.append(Problem(key, "is cut short: the end of an Arrow stream is missing"))
    if problems:
        raise DataError(problems)


def _json(file: Path) -> dict[str, Any]:
    name = f"{file.parent.name}/{file.name}"
    with read_errors(name):
        text = file.read_bytes()
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise DataError(Problem(name, "is damaged: it is no JSON")) from None
    if not isinstance(content, dict):
        raise DataError(Problem(name, "is damaged: it holds no object"))
    return content


def _loaded(folder: Path, where: str) -> Dataset:
    import pyarrow
    from datasets import load_from_disk

    from tunebook.data.reading.tables import check_utf8

    _check_whole(folder)
    try:
        split = load_from_disk(str(folder))
    except (pyarrow.ArrowException, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())[:300]
        message = f"is no whole folder of save_to_disk (cut short or damaged): {reason}"
        raise DataError(Problem(where, message)) from None
    if not len(split):
        raise DataError(Problem(where, "has columns and no rows"))
    check_utf8(split.data.table, where)
    return split.with_format(None)
