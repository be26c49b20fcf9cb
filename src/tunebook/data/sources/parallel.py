"""Rows from aligned files of lines, as of translations: line n of one is a source, line n of the other its target.

Knows lines only; nothing of tasks.
"""

from __future__ import annotations

import gzip
import io
import logging
from collections.abc import Iterator
from itertools import islice, zip_longest
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from tunebook.config.options import Options as BaseOptions
from tunebook.data.columns import absent
from tunebook.data.reading.encodings import AUTO, encoding_of
from tunebook.data.reading.paths import BLOCK, find_files
from tunebook.data.sources.base import SPLITS, LoadContext, SourceOptions, each_split, splits_with_files
from tunebook.errors import DataError, DataFileMissing, Problem

if TYPE_CHECKING:
    import pyarrow
    from datasets import DatasetDict

logger = logging.getLogger("tunebook")

SIDES = ("text", "target")
CHUNK = 5_000
VERSION = 1
"""Of the cached tables: raise it when the same files are read to other values."""


class Pair(BaseOptions):
    """Two files with one line for each row, plain or compressed by gzip.

    Args:
        text: path of the sources.
        target: path of the targets.
    """

    text: str
    target: str


class Options(SourceOptions):
    """Which files.

    Args:
        train: both files; relative to the working folder.
        validation: likewise; None: carved from train where split.validation says so.
        test: likewise.
        encoding: of all files; `auto`: by the byte-order mark, else UTF-8, else a guess, which is logged.
    """

    train: Pair
    validation: Pair | None = None
    test: Pair | None = None
    encoding: str = AUTO


given_splits = splits_with_files


def place(options: Options, split: str) -> str:
    """Names of both files."""
    pair = getattr(options, split)
    return f"{Path(pair.text).name} and {Path(pair.target).name}" if pair else split


def preflight(options: Options, context: LoadContext) -> list[Problem]:
    """Files that are not there, and columns that rows of such files do not have."""
    lacking = absent(context.roles, context.required, list(SIDES), place(options, "train"))
    return [*_files(options, context.cwd)[1], *lacking]


def load(options: Options, context: LoadContext) -> DatasetDict:
    """Rows of `text` and `target`; large files are mapped from the cache, by a key of their content.

    Raises:
        DataFileMissing: a file is not there.
        DataError: files with different numbers of lines, or that are no text, every one of them.
    """
    from datasets import Dataset

    from tunebook.data.reading import storage

    files, problems = _files(options, context.cwd)
    if problems:
        raise DataFileMissing(problems)

    def split_of(name: str) -> Dataset:
        chunks = _chunks(files[name], options.encoding, f"dataset.{name}")
        return Dataset(storage.table_of(files[name], chunks, (VERSION, "parallel", options.encoding)))

    return each_split(files, split_of)


def _files(options: Options, cwd: Path) -> tuple[dict[str, list[Path]], list[Problem]]:
    files: dict[str, list[Path]] = {}
    problems: list[Problem] = []
    for split in SPLITS:
        if (pair := getattr(options, split)) is None:
            continue
        files[split] = []
        for side in SIDES:
            paths, missing = find_files(f"dataset.{split}.{side}", getattr(pair, side), cwd)
            if len(paths) > 1:
                missing = [Problem(f"dataset.{split}.{side}", f"names {len(paths)} files; it takes one")]
            files[split] += paths
            problems += missing
    return files, problems


def _chunks(pair: list[Path], encoding: str, key: str) -> Iterator[pyarrow.Table]:
    import pyarrow

    rows = zip_longest(*(_lines(file, encoding) for file in pair))
    whole = 0
    while chunk := list(islice(rows, CHUNK)):
        if None in chunk[-1]:  # one of them has ended
            counts = [whole + sum(row[side] is not None for row in chunk) for side in (0, 1)]
            longer = int(counts[1] > counts[0])
            counts[longer] += sum(1 for _ in rows)
            stated = " and ".join(f"{file.name} has {count:,} lines" for file, count in zip(pair, counts, strict=True))
            raise DataError(Problem(key, f"{stated}: line n of one must belong to line n of the other"))
        whole += len(chunk)
        columns = dict(zip(SIDES, zip(*chunk, strict=True), strict=True))
        yield pyarrow.table({name: pyarrow.array(texts, pyarrow.string()) for name, texts in columns.items()})
    if not whole:
        raise DataError(Problem(key, f"{pair[0].name} and {pair[1].name} are empty"))


def _lines(file: Path, encoding: str) -> Iterator[str]:
    """The lines of a file, without their ends; only a line feed ends one, so that files stay aligned.

    Raises:
        DataError: it cannot be read, or is not text in this encoding.
    """
    number = 0
    try:
        with _opened(file) as stream:
            known = encoding_of(iter(lambda: stream.read(BLOCK), b""), encoding)
        if known.guessed:
            logger.warning("%s: is read as %s, which is a guess; dataset.encoding states one", file.name, known.name)
        with io.TextIOWrapper(_opened(file), encoding=known.name, newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                if "\0" in line:
                    raise DataError(Problem(file.name, f"line {number} has a NUL character: is it a text file?"))
                yield line.rstrip("\r\n")
    except UnicodeError as error:
        message = f"is not {encoding} text: {error} (after line {number:,}); set dataset.encoding"
        raise DataError(Problem(file.name, message)) from None
    except (OSError, EOFError) as error:
        raise DataError(Problem(file.name, f"cannot be read: {error}")) from None


def _opened(file: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(file)) if file.suffix == ".gz" else file.open("rb")
