"""Finds the files and folders that a recipe names, or says what is there; reads bytes. Knows no format of rows."""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

from tunebook.errors import DataError, Problem, did_you_mean

BLOCK = 2**20
END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""The last bytes of a whole Arrow stream. Without them it may end after any batch, and nobody would notice."""

ENDINGS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".parquet": "parquet",
}
OTHERS = {
    ".arrow": "folders of save_to_disk are read by dataset=arrow",
    **dict.fromkeys((".gz", ".zip", ".bz2", ".xz", ".zst"), "unpack it"),
    **dict.fromkeys((".xls", ".xlsx", ".ods"), "save its sheet as CSV"),
}


def find_files(key: str, stated: str | Sequence[str], cwd: Path) -> tuple[list[Path], list[Problem]]:
    """The files that paths and globs (relative to `cwd`) name, in the order of the paths, each glob sorted."""
    files: list[Path] = []
    problems: list[Problem] = []
    for name in [stated] if isinstance(stated, str) else stated:
        matches = _matches(name, cwd)
        problems += [_not_a_file(key, name, cwd)] if not matches else []
        files += matches
    repeated = sorted({str(file) for file in files if files.count(file) > 1})
    problems += [Problem(key, f"{name} is named twice") for name in repeated]
    if not problems and not files:
        problems.append(Problem(key, "names no file"))
    return files, problems


def format_of(key: str, file: Path, stated_format: str) -> tuple[str, list[Problem]]:
    """The format of a file by its ending, unless one is stated."""
    if stated_format != "auto":
        return stated_format, []
    known = ENDINGS.get(file.suffix.lower())
    if known:
        return known, []
    ending = f"ending {file.suffix!r}" if file.suffix else "a name without an ending"
    allowed = ", ".join(ENDINGS)
    stated = "say dataset.format=csv, tsv, json or parquet"
    fix = OTHERS.get(file.suffix.lower())
    fix = f"{fix}, or {stated} if the ending is wrong" if fix else stated
    message = f"{file.name} has {ending}; known are {allowed}. {fix[0].upper()}{fix[1:]}"
    return "", [Problem(key, message)]


def missing(key: str, path: Path) -> Problem:
    """Why a path is not there: its folder, and the nearest name in it."""
    parent = path.parent
    try:
        if path.is_symlink():
            return Problem(key, f"{path.name} is a link to {path.readlink()}, which is not there")
        if path.exists():
            return Problem(key, f"{path.name} is there, and is neither a file nor a folder")
        if not parent.is_dir():
            return Problem(key, f"{path.name}: there is no folder {parent}")
        names = [entry.name for entry in parent.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        return Problem(key, f"{path.name[:80]} cannot be opened: {error.strerror}")
    hint = did_you_mean(path.name, names) if names else "the folder is empty"
    hint = hint.replace("allowed:", "it has:")
    return Problem(key, f"there is no {path.name} in {parent}; {hint}")


@contextlib.contextmanager
def read_errors(name: str) -> Iterator[None]:
    """Turns a failure to read a file into a `DataError` about `name`."""
    try:
        yield
    except OSError as error:
        raise DataError(Problem(name, f"cannot be read: {error.strerror}")) from None


def blocks_of(file: Path, limit: int | None = None) -> Iterator[bytes]:
    """The bytes of a file in blocks, `limit` of them at most.

    Raises:
        DataError: it cannot be read.
    """
    left = -1 if limit is None else limit
    with read_errors(file.name), file.open("rb") as stream:
        while block := stream.read(BLOCK if left < 0 else min(BLOCK, left)):
            yield block
            left = left - len(block) if left >= 0 else left


def ends_with(file: Path, ending: bytes) -> bool:
    """Whether these are the last bytes of a file."""
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - len(ending)))
        return stream.read() == ending


def is_file(path: Path) -> bool:
    """Whether there is a file, also where asking is forbidden or the name is longer than any can be."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Likewise for a folder."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _matches(name: str, cwd: Path) -> list[Path]:
    path = cwd / Path(name).expanduser()
    if is_file(path):
        return [path]
    if not glob.has_magic(name):
        return []
    return sorted(Path(match) for match in glob.glob(str(path), recursive=True) if is_file(Path(match)))


def _not_a_file(key: str, name: str, cwd: Path) -> Problem:
    path = cwd / Path(name).expanduser()
    if is_folder(path):
        if is_file(path / "dataset_info.json") or is_file(path / "dataset_dict.json"):
            return Problem(key, f"{name} is a folder of save_to_disk; read it with dataset=arrow")
        return Problem(key, f"{name} is a folder; name its files, for instance {name.rstrip('/')}/*.csv")
    if glob.has_magic(name):
        return Problem(key, f"no file matches {name!r} in {cwd}")
    return missing(key, path)
