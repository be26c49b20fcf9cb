"""Sentences from CoNLL files: a word and its tags a line, a blank line between sentences. Knows no scheme of tags."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tunebook.data.columns import absent
from tunebook.data.reading.paths import find_files
from tunebook.data.reading.text import check_text
from tunebook.data.sources.base import SPLITS, LoadContext, SourceOptions, each_split, file_place, splits_with_files
from tunebook.errors import DataError, DataFileMissing, Problem

if TYPE_CHECKING:
    import pyarrow
    from datasets import DatasetDict

CHUNK = 1_000
"""Sentences that become one table."""
SHOWN = 10
VERSION = 1
"""Of the cached tables: raise it when the same file is read to other values."""
DOCUMENT = "-DOCSTART-"


class Options(SourceOptions):
    """Which files, and how their lines are laid out.

    Args:
        train: a path, a glob, or a list of them; relative to the working folder.
        validation: likewise; None: carved from train where split.validation says so.
        test: likewise.
        separator: between the cells of a line; `auto`: a tab where the file's first line has one, else blanks.
        tokens_column: number of the column of words, from 0; negative: from the end.
        tags_column: likewise of the tags.
        column_names: of all columns in order, all of which become columns of lists; None: `tokens` and `tags` alone.
        comment: lines that begin with it are left out; None: there are none. (`#` begins words too.)
        encoding: of the files; `auto`: by the byte-order mark, else UTF-8, else a guess, which is logged.
    """

    train: str | list[str]
    validation: str | list[str] | None = None
    test: str | list[str] | None = None
    separator: Literal["auto", "tab", "space"] = "auto"
    tokens_column: int = 0
    tags_column: int = -1
    column_names: list[str] | None = Field(default=None, min_length=2)
    comment: str | None = Field(default=None, min_length=1)
    encoding: str = "auto"


given_splits = splits_with_files
place = file_place


def preflight(options: Options, context: LoadContext) -> list[Problem]:
    """Files that are not there, and roles without a column."""
    names = options.column_names or ["tokens", "tags"]
    problems = absent(context.roles, context.required, names, "dataset.column_names")
    return [*_files(options, context)[1], *problems]


def load(options: Options, context: LoadContext) -> DatasetDict:
    """Every sentence as a row of lists, `{tokens: […], tags: […]}`; large files are mapped from the cache.

    Raises:
        DataFileMissing: a file is not there.
        DataError: lines of a file differ in their number of cells, or it cannot be read; every such file.
    """
    from datasets import Dataset

    from tunebook.data.reading import storage

    files, problems = _files(options, context)
    if problems:
        raise DataFileMissing(problems)
    layout = options.model_dump(exclude=set(SPLITS))

    def split_of(name: str) -> Dataset:
        return Dataset(storage.table_of(files[name], _tables(files[name], options), (VERSION, "conll", layout)))

    return each_split(files, split_of)


def sentences(file: Path, options: Options) -> Iterator[dict[str, list[str]]]:
    """The sentences of a file as columns of cells, in its order.

    Raises:
        DataError: lines with another number of cells than the first, told at the end; no sentence; or as `check_text`.
    """
    encoding = check_text(file, options.encoding)
    cells_of: Callable[[str], list[str]] | None = None
    width = count = wrong = 0
    ragged: list[str] = []
    rows: list[list[str]] = []
    columns: dict[str, int] = {}
    with file.open(encoding=encoding) as lines:  # line ends of any kind; other separators of Unicode stay in words
        for number, line in enumerate(lines, start=1):
            line = line.rstrip("\n")
            if options.comment is not None and line.startswith(options.comment):
                continue
            if not line.strip(" \t") or line.startswith(DOCUMENT):
                if rows:
                    count += 1
                    yield _sentence(rows, columns)
                    rows = []
                continue
            cells_of = cells_of or _splitter(options.separator, line)
            cells = cells_of(line)
            if not columns:
                width, columns = len(cells), _columns(options, len(cells), file.name)
            if len(cells) == width:
                rows.append(cells)
                continue
            wrong += 1
            ragged += [f"{number} ({len(cells)})"] if len(ragged) < SHOWN else []
    if ragged:
        shown = ", ".join(ragged) + (", …" if wrong > SHOWN else "")
        message = f"{wrong} lines have another number of cells than the {width} of its first one: line {shown}"
        raise DataError(Problem(file.name, f"{message}; correct them, or set dataset.separator"))
    if rows:
        count += 1
        yield _sentence(rows, columns)
    if not count:
        raise DataError(Problem(file.name, "has no sentence"))


def _files(options: Options, context: LoadContext) -> tuple[dict[str, list[Path]], list[Problem]]:
    found, problems = {}, []
    for split in SPLITS:
        if split in given_splits(options):
            found[split], wrong = find_files(f"dataset.{split}", getattr(options, split), context.cwd)
            problems += wrong
    return found, problems


def _tables(files: list[Path], options: Options) -> Iterator[pyarrow.Table]:
    """The sentences of all files in pieces; where some file is wrong, the problems of every file at the end."""
    import pyarrow

    problems: list[Problem] = []
    for file in files:
        chunk: list[dict[str, list[str]]] = []
        try:
            for sentence in sentences(file, options):
                chunk.append(sentence)
                if len(chunk) == CHUNK:
                    yield pyarrow.Table.from_pylist(chunk)
                    chunk = []
        except DataError as error:
            problems += error.problems
        if chunk:
            yield pyarrow.Table.from_pylist(chunk)
    if problems:
        raise DataError(problems)


def _splitter(separator: str, line: str) -> Callable[[str], list[str]]:
    """How lines are cut into cells; a tab may stand beside words with blanks in them."""
    if separator == "tab" or (separator == "auto" and "\t" in line):
        return lambda text: text.split("\t")
    return lambda text: re.split(r"[ \t]+", text.strip(" \t"))


def _columns(options: Options, width: int, name: str) -> dict[str, int]:
    """Name of each column that is read -> its number."""
    if options.column_names is not None:
        if len(options.column_names) != width:
            message = f"names {len(options.column_names)} columns; the first line of {name} has {width} cells"
            raise DataError(Problem("dataset.column_names", message))
        return {column: at for at, column in enumerate(options.column_names)}
    numbers = {"tokens": options.tokens_column, "tags": options.tags_column}
    problems = [
        Problem(f"dataset.{role}_column", f"is {at}; the first line of {name} has {width} cells, from 0 to {width - 1}")
        for role, at in numbers.items()
        if not -width <= at < width
    ]
    if not problems and len({at % width for at in numbers.values()}) < 2:
        message = f"has {width} cells in its first line, and words and tags are in one column; set dataset.separator"
        problems = [Problem(name, message)]
    if problems:
        raise DataError(problems)
    return numbers


def _sentence(rows: list[list[str]], columns: dict[str, int]) -> dict[str, list[str]]:
    return {column: [cells[at] for cells in rows] for column, at in columns.items()}
