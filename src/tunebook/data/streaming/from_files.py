"""Streams the training rows of the source `files`: its files in their order, one after another."""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tunebook.data.reading import delimited, parquet
from tunebook.data.reading.paths import find_files, format_of
from tunebook.data.sources import files
from tunebook.data.sources.base import LoadContext
from tunebook.data.streaming import reading
from tunebook.data.streaming.lines import encoding_at_start
from tunebook.data.streaming.reader import Raw
from tunebook.errors import DataError, DataFileMissing, Problem

if TYPE_CHECKING:
    from datasets import DatasetDict

logger = logging.getLogger("tunebook")

ENDS = 2**20
HEAD = 100


class FilesReader:
    """The training files of a recipe; see `Reader`.

    Args:
        options: of the source.
        context: of the run.

    Raises:
        DataFileMissing: a file is not there.
        DataError: files of several formats, or with other columns than the first.
    """

    def __init__(self, options: files.Options, context: LoadContext) -> None:
        self.options, self.context = options, context
        self.place = files.place(options, "train")
        self.files, problems = find_files("dataset.train", options.train, context.cwd)
        if problems:
            raise DataFileMissing(problems)
        formats = [format_of("dataset.train", file, options.format) for file in self.files]
        kinds = sorted({kind for kind, _ in formats if kind})
        problems = [problem for _, unknown in formats for problem in unknown]
        if len(kinds) > 1:
            problems.append(Problem("dataset.train", f"mixes {' and '.join(kinds)} files; one split takes one format"))
        if problems:
            raise DataError(problems)
        self.kind = kinds[0]
        self._check_columns()
        self._tell_guesses()

    def columns(self) -> list[str]:
        """Of the first file; of JSON Lines, the keys of the first rows."""
        if self.kind == "json":
            first = itertools.islice(self.rows([]), HEAD)
            return list(dict.fromkeys(name for raw in first for name in raw.values))
        return self._header(self.files[0])

    def rows(self, columns: list[str]) -> Iterator[Raw]:
        """See `Reader`."""
        for file in self.files:
            if self.kind == "parquet":
                yield from reading.rows_of_parquet(file, columns)
            elif self.kind == "json":
                yield from reading.rows_of_json(file, self.options.encoding)
            else:
                yield from reading.rows_of_delimited(file, self._layout())

    def label_names(self, column: str) -> list[str] | None:
        """None: files give no names."""
        return None

    def identity(self) -> str:
        """SHA-256 over each file's size and its first and last megabyte, in the order of the files.

        A change in the middle of a large file that keeps its size is not seen: to see it, everything would have
        to be read before training begins. Neither names nor dates count, so that a copy elsewhere is the same.
        """
        total = hashlib.sha256()
        for file in self.files:
            size = file.stat().st_size
            total.update(size.to_bytes(8, "big"))
            with file.open("rb") as stream:
                total.update(stream.read(ENDS))
                stream.seek(max(size - ENDS, 0))
                total.update(stream.read(ENDS))
        return total.hexdigest()

    def evaluated(self) -> DatasetDict:
        """See `Reader`."""
        return files.load(self.options.model_copy(update={"train": None}), self.context)

    def _check_columns(self) -> None:
        if self.kind == "json":
            return  # its rows may each lack keys
        first = self._header(self.files[0])
        others = [(file, self._header(file)) for file in self.files[1:]]
        problems = [
            Problem(file.name, f"has the columns {', '.join(names)}; {self.files[0].name} has {', '.join(first)}")
            for file, names in others
            if set(names) != set(first)
        ]
        if problems:
            raise DataError(problems)

    def _tell_guesses(self) -> None:
        for file in self.files if self.kind != "parquet" else []:
            found = encoding_at_start(file, self.options.encoding)
            if found.guessed:
                logger.warning(
                    "%s: is not UTF-8 and is read as %s, which is a guess; say dataset.encoding=%s if that is right",
                    file.name,
                    found.name,
                    found.name,
                )

    def _header(self, file: Path) -> list[str]:
        return parquet.header(file) if self.kind == "parquet" else delimited.header(file, self._layout())

    def _layout(self) -> delimited.Layout:
        names = self.options.column_names
        return delimited.Layout(
            delimiter=self.options.delimiter or {"csv": ",", "tsv": "\t"}[self.kind],
            quoting=self.options.quoting,
            encoding=self.options.encoding,
            column_names=tuple(names) if names else None,
        )
