"""Rows from local CSV, TSV, JSON Lines, JSON or Parquet files. Knows nothing of roles' meanings or of tasks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tunebook.data.columns import absent
from tunebook.data.reading import delimited, json_rows, parquet, typed
from tunebook.data.reading.paths import find_files, format_of
from tunebook.data.sources.base import SPLITS, LoadContext, SourceOptions
from tunebook.errors import DataError, DataFileMissing, Problem

if TYPE_CHECKING:
    import pyarrow
    from datasets import DatasetDict

Paths = str | list[str]


class Options(SourceOptions):
    """Which files, and how they are written.

    Args:
        train: a path, a glob, or a list of them; relative to the working folder.
        validation: likewise; None: carved from train where split.validation says so.
        test: likewise.
        format: by each file's ending, or one for all.
        column_names: for delimited files without a header line.
        delimiter: None: a comma in .csv, a tab in .tsv.
        quoting: `none`: quotation marks are text.
        encoding: of text files.
    """

    train: Paths
    validation: Paths | None = None
    test: Paths | None = None
    format: Literal["auto", "csv", "tsv", "json", "parquet"] = "auto"
    column_names: list[str] | None = Field(default=None, min_length=1)
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    quoting: Literal["minimal", "none"] = "minimal"
    encoding: str = "utf-8"


def given_splits(options: Options) -> set[str]:
    """The splits that have files of their own."""
    return {split for split in SPLITS if getattr(options, split)}


def place(options: Options, split: str) -> str:
    """The file's name, where the split is one file."""
    said = getattr(options, split) or []
    names = [said] if isinstance(said, str) else said
    return Path(names[0]).name if len(names) == 1 else split


def preflight(options: Options, context: LoadContext) -> list[Problem]:
    """Files that are not there or of an unknown kind, and columns that their headers lack."""
    found, problems = _files(options, context)
    for split, files in found.items():
        try:
            names = _header(files[0], format_of("", files[0], options.format)[0], options)
        except DataError as error:
            problems += error.problems
            continue
        if names is not None:
            lacking = absent(context.roles, context.required, names, place(options, split))
            problems += [*lacking, *_hints(options, files[0], names, len(lacking) == len(context.required) > 0)]
    return problems


def load(options: Options, context: LoadContext) -> DatasetDict:
    """All files of all splits.

    Raises:
        DataFileMissing: a file is not there.
        DataError: files that cannot be read as they should, every one of them.
    """
    from datasets import Dataset, DatasetDict

    found, problems = _files(options, context)
    if problems:
        raise DataFileMissing(problems)
    splits = {}
    for split, files in found.items():
        try:
            splits[split] = Dataset(_table(files, options, context))
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return DatasetDict(splits)


def _hints(options: Options, file: Path, names: list[str], all_lacking: bool) -> list[Problem]:
    """What may be the matter where a delimited file has none of the columns that are needed."""
    kind = format_of("", file, options.format)[0]
    if not all_lacking or kind not in {"csv", "tsv"}:
        return []
    other = next((mark for mark in ";,\t|" if len(names) == 1 and mark in names[0]), None)
    if other and not options.delimiter:
        return [Problem("dataset.delimiter", f"{file.name} seems to separate its cells by {other!r}; say so")]
    if not options.column_names:
        message = f"if {file.name} has no header line, name its columns, as in dataset.column_names=[text,label]"
        return [Problem("dataset.column_names", message)]
    return []


def _files(options: Options, context: LoadContext) -> tuple[dict[str, list[Path]], list[Problem]]:
    found, problems = {}, []
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
        if not wrong:
            found[split] = files
        problems += wrong
    return found, problems


def _layout(kind: str, options: Options) -> delimited.Layout:
    return delimited.Layout(
        delimiter=options.delimiter or {"csv": ",", "tsv": "\t"}[kind],
        literal_quotes=options.quoting == "none",
        encoding=options.encoding,
        column_names=tuple(options.column_names) if options.column_names else None,
    )


def _header(file: Path, kind: str, options: Options) -> list[str] | None:
    if kind == "parquet":
        return parquet.header(file)
    if kind == "json":
        return json_rows.header(file, options.encoding)
    return delimited.header(file, _layout(kind, options))


def _table(files: list[Path], options: Options, context: LoadContext) -> pyarrow.Table:
    import pyarrow

    kind = format_of("", files[0], options.format)[0]
    read = _reader(kind, options)
    parts, problems = [], []
    for file in files:
        try:
            parts.append(read(file))
        except DataError as error:
            problems += error.problems
    if not problems:
        problems = _unlike(files, parts, strict=kind != "json")
    if problems:
        raise DataError(problems)
    if kind == "parquet":
        return pyarrow.concat_tables(parts, promote_options="permissive")
    columns = _joined(parts)
    if kind != "json":
        columns = {name: typed.from_text(cells) for name, cells in columns.items()}
    return _arrow(columns, files[0].name, context)


def _reader(kind: str, options: Options) -> Any:
    if kind == "parquet":
        return parquet.read
    if kind == "json":
        return lambda file: json_rows.read(file, options.encoding)
    return lambda file: delimited.read(file, _layout(kind, options))


def _names(part: Any) -> list[str]:
    return list(part) if isinstance(part, dict) else list(part.column_names)


def _unlike(files: list[Path], parts: list[Any], strict: bool) -> list[Problem]:
    """Files whose columns differ from the first one's. JSON rows may each lack keys, so they are not strict."""
    first = _names(parts[0])
    return [
        Problem(file.name, f"has the columns {', '.join(_names(part))}; {files[0].name} has {', '.join(first)}")
        for file, part in zip(files, parts, strict=True)
        if strict and set(_names(part)) != set(first)
    ]


def _joined(parts: list[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for part in parts for name in part)
    sizes = [len(next(iter(part.values()))) for part in parts]
    return {
        name: [value for part, size in zip(parts, sizes, strict=True) for value in part.get(name, [None] * size)]
        for name in names
    }


def _arrow(columns: dict[str, list[Any]], file: str, context: LoadContext) -> pyarrow.Table:
    """An Arrow table of columns; one that mixes kinds of values is a problem only where a role needs it."""
    import pyarrow

    arrays, problems = {}, []
    for name, values in columns.items():
        kinds = {typed.kind_of(value) for value in values} - {"missing"}
        if len(kinds) > 1 and kinds != {"whole number", "number"}:
            if name in context.roles.values():
                problems.append(Problem(file, f"column {name!r} mixes {_mixed(values, kinds)}"))
            continue
        try:
            arrays[name] = pyarrow.array(values, from_pandas=True)
        except (pyarrow.ArrowException, OverflowError, UnicodeEncodeError) as error:
            if name in context.roles.values():
                problems.append(Problem(file, f"column {name!r} cannot be read: {error}"))
    if problems:
        raise DataError(problems)
    return pyarrow.table(arrays)


def _mixed(values: list[Any], kinds: set[str]) -> str:
    first = {kind: next(row for row, value in enumerate(values) if typed.kind_of(value) == kind) for kind in kinds}
    return " and ".join(f"{kind} (row {row})" for kind, row in sorted(first.items(), key=lambda item: item[1]))
