"""Finds the files and folders that a recipe names, or says what is there instead. Reads none of them."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from tunebook.errors import Problem, did_you_mean

ENDINGS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".parquet": "parquet",
}


def find_files(key: str, said: str | Sequence[str], cwd: Path) -> tuple[list[Path], list[Problem]]:
    """The files that paths and globs name, in the order of the paths, each glob sorted.

    Args:
        key: the configuration key that named them, for messages.
        said: a path, a glob, or several; relative ones start from `cwd`.
        cwd: a folder.
    """
    files: list[Path] = []
    problems: list[Problem] = []
    for name in [said] if isinstance(said, str) else said:
        found = _matches(name, cwd)
        problems += [_not_a_file(key, name, cwd)] if not found else []
        files += found
    twice = sorted({str(file) for file in files if files.count(file) > 1})
    problems += [Problem(key, f"{name} is named twice") for name in twice]
    if not problems and not files:
        problems.append(Problem(key, "names no file"))
    return files, problems


def format_of(key: str, file: Path, said: str) -> tuple[str, list[Problem]]:
    """The format of a file by its ending, unless one is said."""
    if said != "auto":
        return said, []
    known = ENDINGS.get(file.suffix.lower())
    if known:
        return known, []
    ending = f"ending {file.suffix!r}" if file.suffix else "a name without an ending"
    allowed = ", ".join(ENDINGS)
    message = f"{file.name} has {ending}; known are {allowed}. Say dataset.format=csv, tsv, json or parquet"
    return "", [Problem(key, message)]


def missing(key: str, path: Path) -> Problem:
    """Why a path is not there: its folder, and the nearest name in it."""
    parent = path.parent
    if not parent.is_dir():
        return Problem(key, f"{path.name}: there is no folder {parent}")
    names = [entry.name for entry in parent.iterdir() if not entry.name.startswith(".")]
    hint = did_you_mean(path.name, names) if names else "the folder is empty"
    hint = hint.replace("allowed:", "it has:")
    return Problem(key, f"there is no {path.name} in {parent}; {hint}")


def _matches(name: str, cwd: Path) -> list[Path]:
    path = cwd / Path(name).expanduser()
    if path.is_file():
        return [path]
    if not glob.has_magic(name):
        return []
    return sorted(Path(match) for match in glob.glob(str(path), recursive=True) if Path(match).is_file())


def _not_a_file(key: str, name: str, cwd: Path) -> Problem:
    path = cwd / Path(name).expanduser()
    if glob.has_magic(name):
        return Problem(key, f"no file matches {name!r} in {cwd}")
    if path.is_dir():
        return Problem(key, f"{name} is a folder; name its files, for instance {name.rstrip('/')}/*.csv")
    return missing(key, path)
