"""Images in folders, one folder a class. Knows files and PIL; the rest of Tunebook sees a table of images.

Folders are listed here, as `load_dataset("imagefolder")` takes images at any depth and leaves labels out without a
word where images are at two depths or in one class only.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tunebook.data.reading.images import first_problems, progress_bar, why_unreadable
from tunebook.data.reading.paths import is_folder, missing
from tunebook.data.sources.base import LoadContext, SourceOptions, stated_folders
from tunebook.errors import DataError, DataFileMissing, Problem

if TYPE_CHECKING:
    from datasets import DatasetDict

logger = logging.getLogger("tunebook")

ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
FOLDERS = {"train": ("train", "training"), "validation": ("validation", "val", "valid", "dev"), "test": ("test",)}


class Options(SourceOptions):
    """Either one folder or one a split.

    Args:
        path: holds train/CLASS/…, validation/CLASS/… (or val, valid, dev) and test/CLASS/…; or CLASS/… alone,
            which is a training split.
        train: a folder of CLASS/… in place of `path`.
        validation: likewise.
        test: likewise.
        nested: images in folders inside a class folder belong to the class; without it they are refused.
    """

    path: str | None = None
    train: str | None = None
    validation: str | None = None
    test: str | None = None
    nested: bool = False


def place(options: Options, split: str) -> str:
    """The split's folder."""
    return getattr(options, split) or f"{Path(options.path or '').name}/{split}"


def preflight(options: Options, context: LoadContext) -> list[Problem]:
    """Folders that are not there, without classes, or with classes without images."""
    folders, problems = _folders(options, context)
    if closed := [problem for folder in folders.values() for problem in _closed(folder)]:
        return [*problems, *closed]
    classes = {split: _classes(folder) for split, folder in folders.items()}
    for split, folder in folders.items():
        problems += _layout_problems(folder, classes[split], options.nested)
    train = classes.get("train", {})
    for split in set(classes) - {"train"} if train else set():
        unknown = ", ".join(sorted(set(classes[split]) - set(train)))
        if unknown:
            message = f"has classes that train lacks: {unknown}; train has: {', '.join(sorted(train))}"
            problems.append(Problem(str(folders[split]), message))
    return problems


def load(options: Options, context: LoadContext) -> DatasetDict:
    """The images (decoded when asked for) and their folders' names, in the order of class and file name.

    Raises:
        DataFileMissing: a folder is not there.
        DataError: empty or unknown classes, or images that cannot be read, every one of them.
    """
    from datasets import Dataset, DatasetDict, Features, Image, Value

    problems = preflight(options, context)
    folders, missing_folders = _folders(options, context)
    if problems:
        raise (DataFileMissing if missing_folders else DataError)(problems)
    named = {split: _classes(folder) for split, folder in folders.items()}
    _log_left_out(list(folders.values()))
    _check_images([file for classes in named.values() for files in classes.values() for file in files])
    features = Features({"image": Image(), "label": Value("string")})
    splits = {}
    for split, classes in named.items():
        rows = [(str(file), name) for name, files in classes.items() for file in files]
        columns = {"image": [file for file, _ in rows], "label": [name for _, name in rows]}
        splits[split] = Dataset.from_dict(columns, features=features)
    return DatasetDict(splits)


def _folders(options: Options, context: LoadContext) -> tuple[dict[str, Path], list[Problem]]:
    folders, problems = stated_folders(options, context.cwd)
    problems += [missing(f"dataset.{name}", folder) for name, folder in folders.items() if not is_folder(folder)]
    if "path" not in folders:
        return folders, problems
    problems = problems or _closed(folders["path"])
    return ({}, problems) if problems else _splits_in(folders["path"])


def _closed(folder: Path) -> list[Problem]:
    """Folders that may not be opened, at any depth: what is in them would be left out without a message."""
    errors: list[OSError] = []
    for _ in os.walk(folder, onerror=errors.append):
        pass
    return [
        Problem(str(error.filename), f"cannot be looked into: {error.strerror}")
        for error in errors
        if not isinstance(error, FileNotFoundError | NotADirectoryError)
    ]


def _splits_in(root: Path) -> tuple[dict[str, Path], list[Problem]]:
    inside = sorted(entry for entry in root.iterdir() if entry.is_dir())
    named = {split: [entry for entry in inside if entry.name.lower() in names] for split, names in FOLDERS.items()}
    if not any(named.values()):
        return {"train": root}, []
    problems = []
    if not named["train"]:
        has = ", ".join(entry.name for entry in inside)
        problems.append(Problem("dataset.path", f"{root} has no folder train; it has: {has}"))
    for split, folders in named.items():
        if len(folders) > 1:
            names = " and ".join(folder.name for folder in folders)
            problems.append(Problem("dataset.path", f"{root} has {names}, both for {split}; keep one"))
    return {split: folders[0] for split, folders in named.items() if folders}, problems


def _classes(folder: Path) -> dict[str, list[Path]]:
    """Class to its images, both sorted by name; hidden files and folders are left out."""
    if not folder.is_dir():
        return {}
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    return {name: sorted(file for file in (folder / name).rglob("*") if _is_image(file)) for name in names}


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in ENDINGS and not file.name.startswith(".") and file.is_file()


def _layout_problems(folder: Path, classes: dict[str, list[Path]], nested: bool) -> list[Problem]:
    if not folder.is_dir():
        return []
    if not classes:
        return [Problem(str(folder), "has no class folders; images belong in one folder a class")]
    empty = [name for name, files in classes.items() if not files]
    loose = sum(_is_image(file) for file in folder.iterdir())
    deep = [file for files in classes.values() for file in files if file.parent.parent != folder]
    problems = []
    if deep and not nested:
        message = (
            f"has images deeper than CLASS/: {deep[0].relative_to(folder)}"
            f"{f' and {len(deep) - 1} more' if deep[1:] else ''}; are its folders classes "
            f"({', '.join(list(classes)[:5])})? Say dataset.nested=true if so, else name the folder above the classes"
        )
        problems.append(Problem(str(folder), message))
    if empty:
        kinds = ", ".join(sorted(ENDINGS))
        problems.append(Problem(str(folder), f"has class folders without images ({kinds}): {', '.join(empty)}"))
    if loose:
        problems.append(Problem(str(folder), f"has {loose} images outside its class folders; move them into one"))
    return problems


def _log_left_out(folders: list[Path]) -> None:
    """Files in class folders that are no images by their ending are no rows, which is logged."""
    others = Counter(
        file.suffix.lower() or "no ending"
        for folder in folders
        for file in folder.glob("*/**/*")
        if not file.name.startswith(".") and file.is_file() and file.suffix.lower() not in ENDINGS
    )
    if others:
        shown = ", ".join(f"{count} {ending}" for ending, count in others.most_common(5))
        logger.warning("%s files in class folders are left out, being no images by their ending: %s",
                       f"{sum(others.values()):,}", shown)  # fmt: skip


def _check_images(files: list[Path]) -> None:
    problems = []
    with progress_bar(len(files)) as bar:
        for file in files:
            if why := why_unreadable(file):
                problems.append(Problem(str(file), why))
            bar.update()
    if problems:
        raise DataError(first_problems(problems, len(problems), len(files)))
