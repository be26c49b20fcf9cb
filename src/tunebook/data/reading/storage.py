"""Puts chunks of rows into one Arrow table, in memory or in a file of the cache. Knows no format of files.

A file of the cache is named by a key of what it was read from. It is written under another name and renamed when it
is whole, so that two processes may write the same one and a reader never sees a part.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow
from datasets.table import InMemoryTable, MemoryMappedTable, Table

from tunebook.data.reading.paths import END_OF_STREAM, blocks_of, ends_with
from tunebook.errors import DataError, Problem

SMALL = 2**24
"""Files of so many bytes together are kept in memory: a file in the cache would gain nothing."""

SMALL_ARRAY = 2**22
"""Arrays of so many bytes are kept in memory."""

Change = Callable[[pyarrow.Table], pyarrow.Table]
"""What is done to each chunk once all of them are known."""


def content_key(files: Sequence[Path], *options: object) -> str:
    """A key of what files hold and of how they are read; it does not depend on their names or times."""
    total = hashlib.sha256(repr(options).encode())
    for file in files:
        own = hashlib.sha256()
        for block in blocks_of(file):
            own.update(block)
        total.update(own.digest())
    return total.hexdigest()[:32]


def cache_folder() -> Path:
    """Where tables are stored: `TUNEBOOK_CACHE`, else the cache of `datasets` (`HF_DATASETS_CACHE`)."""
    own = os.environ.get("TUNEBOOK_CACHE")
    return Path(own).expanduser() / "rows" if own else Path(datasets.config.HF_DATASETS_CACHE) / "tunebook"


def table_of(
    files: Sequence[Path],
    chunks: Iterable[pyarrow.Table],
    key: Sequence[object],
    change: Callable[[], Change | None] | None = None,
) -> Table:
    """All chunks that are read from files as one table: in memory, or of large files mapped from one in the cache.

    Args:
        files: what the chunks are read from.
        chunks: their schemas may differ as far as Arrow can promote them to a common one. They are not read where the
            cache has the table.
        key: how the files are read.
        change: called once all chunks are read; what it returns changes each of them.

    Raises:
        DataError: the cache cannot be written.
    """
    change = change or (lambda: None)
    if sum(file.stat().st_size for file in files) > SMALL:
        return _on_disk(content_key(files, *key), chunks, change)
    parts = list(chunks)
    schema = pyarrow.unify_schemas([part.schema for part in parts], promote_options="permissive")
    changed = change() or _unchanged
    return InMemoryTable(pyarrow.concat_tables(changed(_promoted(part, schema)) for part in parts))


def _on_disk(key: str, chunks: Iterable[pyarrow.Table], change: Callable[[], Change | None]) -> Table:
    file = cache_folder() / f"{key}.arrow"
    if not (file.is_file() and ends_with(file, END_OF_STREAM)):
        with cache_errors():
            file.parent.mkdir(parents=True, exist_ok=True)
            scratch = tempfile.TemporaryDirectory(prefix=".writing-", dir=file.parent)
        with scratch as folder:
            _write(file, Path(folder), chunks, change)
    return MemoryMappedTable.from_file(str(file))


def scratch_array(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An empty array; a large one is a file of the cache without a name, which goes with the array.

    Raises:
        DataError: the cache cannot be written.
    """
    size = np.dtype(dtype).itemsize * math.prod(shape)
    if size <= SMALL_ARRAY:
        return np.empty(shape, dtype=dtype)
    folder = cache_folder()
    with cache_errors():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):  # a disk that is full shows now, not as a bus error later
                os.posix_fallocate(file.fileno(), 0, size)
            file.truncate(size)
            return np.memmap(file, dtype=dtype, mode="r+", shape=shape)


def _write(file: Path, scratch: Path, chunks: Iterable[pyarrow.Table], change: Callable[[], Change | None]) -> None:
    parts: list[Path] = []
    schema: Any = None
    writer: Any = None
    with contextlib.ExitStack() as opened:
        for chunk in chunks:
            common = pyarrow.unify_schemas([schema or chunk.schema, chunk.schema], promote_options="permissive")
            with cache_errors():
                if common != schema:
                    opened.close()
                    schema = common
                    parts.append(scratch / f"{len(parts)}.arrow")
                    writer = _opened(opened, parts[-1], schema)
                writer.write_table(_promoted(chunk, schema))
        with cache_errors():
            opened.close()
    changed = change()
    if changed or len(parts) > 1:
        changed = changed or _unchanged
        whole = scratch / "whole.arrow"
        with cache_errors(), contextlib.ExitStack() as opened:
            writer = _opened(opened, whole, changed(schema.empty_table()).schema)
            for part in parts:
                for batch in pyarrow.ipc.open_stream(opened.enter_context(pyarrow.memory_map(str(part)))):
                    writer.write_table(changed(_promoted(pyarrow.Table.from_batches([batch]), schema)))
        parts = [whole]
    with cache_errors():
        parts[0].replace(file)


def _opened(stack: contextlib.ExitStack, path: Path, schema: pyarrow.Schema) -> pyarrow.RecordBatchStreamWriter:
    sink = stack.enter_context(pyarrow.OSFile(str(path), "wb"))
    return stack.enter_context(pyarrow.ipc.new_stream(sink, schema))


def _promoted(chunk: pyarrow.Table, schema: pyarrow.Schema) -> pyarrow.Table:
    """The chunk with the columns and types of a schema that is common to it and others."""
    if chunk.schema == schema:
        return chunk
    return pyarrow.concat_tables([schema.empty_table(), chunk], promote_options="permissive")


def _unchanged(chunk: pyarrow.Table) -> pyarrow.Table:
    return chunk


@contextlib.contextmanager
def cache_errors() -> Iterator[None]:
    """Turns a failure to write into the cache, as on a full disk, into a `DataError`."""
    try:
        yield
    except OSError as error:
        why = f"cannot be written: {error.strerror or error}"
        message = f"the cache of rows, {cache_folder()}, {why}; set TUNEBOOK_CACHE to a folder with room"
        raise DataError(Problem("TUNEBOOK_CACHE", message)) from None
