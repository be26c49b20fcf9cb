"""Rows of a table that names image files, or carries images as bytes. Knows files and PIL, not what else is in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook.data.columns import sources
from tunebook.data.reading.images import first_problems, progress_bar, why_unreadable
from tunebook.data.reading.paths import is_file, is_folder, missing
from tunebook.data.sources import files
from tunebook.data.sources.base import LoadContext, each_split
from tunebook.errors import DataError, DataFileMissing, Problem

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

ROLE = "image"


class Options(files.Options):
    """Tables as in `files`, and where their images are.

    Args:
        image_root: the folder that relative image paths start from; None: each table's own folder.
    """

    image_root: str | None = None


given_splits = files.given_splits
place = files.place


def preflight(options: Options, context: LoadContext) -> list[Problem]:
    """As for `files`, and a folder of images that is not there."""
    problems = files.preflight(options, context)
    root = _root(options, context)
    if root is not None and not is_folder(root):
        problems.append(missing("dataset.image_root", root))
    return problems


def load(options: Options, context: LoadContext) -> DatasetDict:
    """The tables, with the image column as images (decoded when asked for).

    Raises:
        DataFileMissing: a table or the folder is not there.
        DataError: images that are not there or cannot be read, every one of them, with their rows.
    """
    root = _root(options, context)
    if root is not None and not is_folder(root):
        raise DataFileMissing(missing("dataset.image_root", root))
    column = sources(context.roles.get(ROLE, ROLE))[0]

    def placed(file: Path, chunk: Any) -> Any:
        return _with_places(chunk, column, root or file.parent)

    splits = files.load(options, context, placed)

    def split_of(name: str) -> Dataset:
        split = splits[name]
        return _with_images(split, column, place(options, name)) if column in split.column_names else split

    return each_split(splits, split_of)


def _root(options: Options, context: LoadContext) -> Path | None:
    return context.cwd / Path(options.image_root).expanduser() if options.image_root else None


def _with_places(part: Any, column: str, folder: Path) -> Any:
    """A file's columns, or its table, with the image paths in it starting from a folder."""
    import pyarrow

    if isinstance(part, dict):
        if column in part:
            part[column] = [_placed(path, folder) for path in part[column]]
        return part
    index = part.column_names.index(column) if column in part.column_names else -1
    if index < 0 or not pyarrow.types.is_string(part.schema.field(index).type):
        return part
    placed = [_placed(path, folder) for path in part.column(index).to_pylist()]
    return part.set_column(index, column, pyarrow.array(placed, pyarrow.string())).replace_schema_metadata()


def _placed(path: Any, folder: Path) -> Any:
    if not isinstance(path, str) or not path.strip() or "://" in path:
        return path
    return str(folder / Path(path.strip()).expanduser())


def _with_images(split: Dataset, column: str, where: str) -> Dataset:
    """The split with images instead of paths, each checked once."""
    from datasets import Image, Value

    feature = split.features[column]
    if isinstance(feature, Value) and feature.dtype in {"string", "large_string"}:
        problems = _path_problems(split, column, where)
    elif isinstance(feature, Image) or _carries_bytes(feature):
        problems = _byte_problems(split, column, where)
    else:
        message = f"must hold the paths of images; it holds {feature}. Is it the right column?"
        problems = [Problem(f"dataset.columns.image={column!r}", message, where)]
    if problems:
        raise DataError(problems)
    return split.cast_column(column, Image())


def _carries_bytes(feature: Any) -> bool:
    if isinstance(feature, dict):
        return set(feature) == {"bytes", "path"}
    return getattr(feature, "dtype", "") in {"binary", "large_binary"}


def _path_problems(split: Dataset, column: str, where: str) -> list[Problem]:
    """Each path that is no readable image, at its first row; a folder that does not exist is one problem."""
    from tunebook.data import chunks

    wrong: dict[str, tuple[int, str]] = {}
    rows_of_folder: dict[str, list[int]] = {}
    lost: set[str] = set()
    images = 0
    with progress_bar(len(split)) as bar:
        for first, paths in chunks.values(split, column):
            rows = {path: row for row, path in reversed(list(enumerate(paths, start=first))) if path is not None}
            images += len(rows)
            folders = {path: folder for path in rows if (folder := _missing_folder(path))}
            lost |= folders.keys()
            for row, path in enumerate(paths, start=first):
                if path in folders:
                    rows_of_folder.setdefault(folders[path], []).append(row)
            for path in rows.keys() - wrong.keys() - folders.keys():
                if why := _missing_file(path) or why_unreadable(Path(path)):
                    wrong[path] = (rows[path], why)
            bar.update(len(paths))
    listed = [(row, path, why) for path, (row, why) in wrong.items()]
    for folder, rows_in_it in rows_of_folder.items():
        count = f"{len(rows_in_it):,} row{'s name images' if len(rows_in_it) > 1 else ' names an image'} in it"
        listed.append((min(rows_in_it), folder, f"there is no such folder; {count}"))
    problems = [Problem(name, why, f"{where}, row {row}") for row, name, why in sorted(listed)]
    return first_problems(problems, len(wrong) + len(lost), images)


def _missing_folder(path: str) -> str:
    """The uppermost folder of the path that does not exist, or ""."""
    if "://" in path:
        return ""
    lost = ""
    try:
        for folder in Path(path).parents:
            if folder.exists() or folder.is_symlink():
                break
            lost = str(folder)
    except OSError:  # a name that is too long, or a folder that may not be opened: reported of the image itself
        return ""
    return lost


def _missing_file(path: str) -> str:
    if "://" in path:
        return "is an address; images are read from files: download it"
    return "" if is_file(Path(path)) else missing("", Path(path)).message


def _byte_problems(split: Dataset, column: str, where: str) -> list[Problem]:
    from tunebook.data import chunks

    problems = []
    with progress_bar(len(split)) as bar:
        for first, images in chunks.values(split, column, chunks.FILE_ROWS):
            for row, image in enumerate(images, start=first):
                if image is None:
                    continue
                content, path = (image, None) if isinstance(image, bytes) else (image["bytes"], image["path"])
                if why := why_unreadable(Path(path or "") if content is None else content):
                    problems.append(Problem(path or "image", why, f"{where}, row {row}"))
            bar.update(len(images))
    return first_problems(problems, len(problems), len(split))
