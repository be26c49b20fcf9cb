"""Rows from local CSV, TSV, JSON Lines, JSON or Parquet files. Knows nothing of roles' meanings or of tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tunebook.data.columns import absent, all_sources
from tunebook.data.reading import delimited, json_rows
from tunebook.data.reading.paths import find_files, format_of
from tunebook.data.reading.text import check_text
from tunebook.data.sources.base import SPLITS, LoadContext, SourceOptions, each_split, file_place, splits_with_files
from tunebook.errors import DataError, DataFileMissing, Problem

if TYPE_CHECKING:
    import pyarrow
    from datasets import Dataset, DatasetDict
    from datasets.table import Table

Paths = str | list[str]
OnChunk = Callable[[Path, Any], Any]
"""Changes rows that were read from a file: its path, and their columns (a dict, or a table of Parquet)."""

DELIMITED = {"csv", "tsv"}

CHUNK = 5_000
"""Rows that are read at once. Fewer make Arrow slower, more take memory."""

VERSION = 1
"""Of the cached tables: raise it when the same file is read to other values."""


class Options(SourceOptions):
    """Which files, and how they are written.

    Args:
        train: a path, a glob, or a list of them; relative to the working folder.
        validation: likewise; None: carved from train where split.validation says so.
        test: likewise.
        format: by each file's ending, or one for all.
        column_names: for delimited files without a header line.
        delimiter: None: a comma in .csv, a tab in .tsv.
        quoting: `minimal`: quotation marks may frame cells; `none`: they are text; `auto`: as `minimal`, but files
            that have other rows by `none` are refused.
        encoding: of text files; `auto`: by the byte-order mark, else UTF-8, else a guess, which is logged.
        field: the key of the rows' array in a .json file that is one object, such as data.
    """

    train: Paths
    validation: Paths | None = None
    test: Paths | None = None
    format: Literal["auto", "csv", "tsv", "json", "parquet"] = "auto"
    column_names: list[str] | None = Field(default=None, min_length=1)
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    quoting: Literal["auto", "minimal", "none"] = "auto"
    encoding: str = "auto"
    field: str | None = Field(default=None, min_length=1)


given_splits = splits_with_files
place = file_place


def preflight(options: Options, context: LoadContext) -> list[Problem]:
    """Files that are not there or of an unknown kind, and columns that their headers lack."""
    files_of, problems = _files(options, context)
    for split, files in files_of.items():
        try:
            names = _header(files[0], options)
        except DataError as error:
            problems += error.problems
            continue
        if names is not None:
            lacking = absent(context.roles, context.required, names, place(options, split))
            all_lack = len(lacking) == len(context.required)
            problems += _with_hints(lacking, all_lack, files[0], names, options) if lacking else []
    return problems


def load(options: Options, context: LoadContext, on_chunk: OnChunk | None = None) -> DatasetDict:
    """All files of all splits, read in chunks; large ones are mapped from the cache, by a key of their content.

    Args:
        options: which files.
        context: which columns are needed.
        on_chunk: changes what is read from each file; the result may depend on the file's folder.

    Raises:
        DataFileMissing: a file is not there.
        DataError: files that cannot be read as they should, every one of them; or the cache cannot be written.
    """
    files_of, problems = _files(options, context)
    if problems:
        raise DataFileMissing(problems)

    def split_of(name: str) -> Dataset:
        return _dataset(_table(files_of[name], options, context, on_chunk), place(options, name), context)

    return each_split(files_of, split_of)


def _kind(file: Path, options: Options) -> str:
    return format_of("", file, options.format)[0]


def _with_hints(
    lacking: list[Problem], all_lack: bool, file: Path, names: list[str], options: Options
) -> list[Problem]:
    """Missing columns of a delimited file, with what may be the reason: another delimiter, or no header line."""
    if options.column_names or _kind(file, options) not in DELIMITED:
        return lacking
    other = next((mark for mark in ";,\t|" if mark in names[0]), None) if len(names) == 1 else None
    if other:
        # Split by the right mark, the file has other columns; which of them are missing is reported then.
        # With quotation marks around it all, so that a shell leaves those inside to the configuration.
        fix = "dataset.format=tsv" if other == "\t" and not options.delimiter else f"\"dataset.delimiter='{other}'\""
        return [Problem("dataset.delimiter", f"{file.name} seems to separate its cells by {other!r}; say {fix}")]
    if not all_lack:
        return lacking
    message = f"if {file.name} has no header line, name its columns, as in dataset.column_names=[text,label]"
    return [*lacking, Problem("dataset.column_names", message)]


def _files(options: Options, context: LoadContext) -> tuple[dict[str, list[Path]], list[Problem]]:
    """Split to its files, and what is wrong with those of the other splits."""
    files_of, problems = {}, []
    for split in SPLITS:
        if split not in given_splits(options):
            continue
        key = f"dataset.{split}"
        files, wrong = find_files(key, getattr(options, split), context.cwd)
        formats = [format_of(key, file, options.format) for file in files]
        wrong += [problem for _, unknown in formats for problem in unknown]
        kinds = sorted({kind for kind, _ in formats if kind})
        if len(kinds) > 1:
            wrong.append(Problem(key, f"mixes {' and '.join(kinds)} files; one split takes one format"))
        wrong += _unused_settings(options, kinds)
        if not wrong:
            files_of[split] = files
        problems += wrong
    return files_of, problems


def _unused_settings(options: Options, kinds: list[str]) -> list[Problem]:
    """Settings that do nothing for files of these kinds."""
    lines = bool(DELIMITED & set(kinds))
    used = {"column_names": lines, "delimiter": lines, "field": "json" in kinds}
    return [
        Problem(
            f"dataset.{name}",
            f"means nothing for {' and '.join(kinds)} files; take it out, or set it to null, as in dataset.{name}=null",
        )
        for name in used
        if kinds and not used[name] and getattr(options, name) is not None
    ]


def _layout(kind: str, options: Options) -> delimited.Layout:
    return delimited.Layout(
        delimiter=options.delimiter or {"csv": ",", "tsv": "\t"}[kind],
        quoting=options.quoting,
        encoding=options.encoding,
        column_names=tuple(options.column_names or ()),
    )


def _header(file: Path, options: Options) -> list[str] | None:
    """The names of the columns; None where only the whole file shows them."""
    kind = _kind(file, options)
    if kind == "parquet":
        from tunebook.data.reading import parquet

        return list(parquet.schema_of(file).names)
    if kind == "json":
        return json_rows.header(file, options.encoding, options.field)
    return delimited.header(file, _layout(kind, options))


def _table(files: list[Path], options: Options, context: LoadContext, on_chunk: OnChunk | None) -> Table:
    from tunebook.data.reading import parquet, storage, tables

    kind = _kind(files[0], options)
    needed = all_sources(context.roles)
    columns: Any = None
    if kind == "parquet":
        parquet.check_types(files)
    else:
        place = files[0].name
        columns = tables.JsonColumns(place, needed) if kind == "json" else tables.TextColumns(place)
    chunks = _chunks(files, kind, options, columns, on_chunk)
    change = columns.change if columns else lambda: None
    folders = [file.parent.resolve() for file in files] if on_chunk else None
    stated = options.model_dump(exclude=set(SPLITS))
    if columns:
        for file in files:
            check_text(file, options.encoding)  # what it logs of an encoding is logged for a cached table too
    key = (VERSION, kind, stated, needed, folders, context.cwd if on_chunk else None)
    return storage.table_of(files, chunks, key, change)


def _chunks(
    files: list[Path], kind: str, options: Options, columns: Any, on_chunk: OnChunk | None
) -> Iterator[pyarrow.Table]:
    """The rows of all files in pieces; where some file is wrong, only the problems of every file."""
    problems: list[Problem] = []
    first: list[str] = []
    for file in files:
        names: dict[str, None] = {}
        try:
            for chunk in _read(file, kind, options):
                part = on_chunk(file, chunk) if on_chunk else chunk
                names |= dict.fromkeys(part if isinstance(part, dict) else part.column_names)
                if not problems:
                    yield columns.table(part) if columns else part
        except DataError as error:
            problems += error.problems
            continue
        # JSON rows may each lack keys.
        if kind != "json" and first and set(names) != set(first):
            message = f"has the columns {', '.join(names)}; {files[0].name} has {', '.join(first)}"
            problems.append(Problem(file.name, message))
        first = first or list(names)
    if problems:
        raise DataError(problems)


def _read(file: Path, kind: str, options: Options) -> Iterator[Any]:
    if kind == "parquet":
        from tunebook.data.reading import parquet

        return parquet.chunks(file, CHUNK)
    if kind == "json":
        return json_rows.chunks(file, CHUNK, options.encoding, options.field)
    return delimited.chunks(file, _layout(kind, options), CHUNK)


def _dataset(table: pyarrow.Table | Table, place: str, context: LoadContext) -> Dataset:
    """The table as a Dataset; of columns that `datasets` has no type for only the needed ones matter."""
    from datasets import Dataset

    try:
        return Dataset(table)
    except (ValueError, TypeError, KeyError):
        needed = [name for name in all_sources(context.roles) if name in table.column_names]
    try:
        return Dataset(table.select(needed).replace_schema_metadata())
    except (ValueError, TypeError, KeyError) as error:
        message = f"has a column that cannot be used: {' '.join(str(error).split())}"
        raise DataError(Problem(place, message)) from None
