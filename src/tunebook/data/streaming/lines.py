"""Reads a text file line by line in bounded memory, or says in which line it is not what it should be."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path

from tunebook.data.reading.encodings import Encoding, encoding_of
from tunebook.errors import DataError, Problem

CHUNK = 2**20


def encoding_at_start(file: Path, said: str) -> Encoding:
    """The encoding; where it is `auto`, by the first megabyte alone.

    Raises:
        DataError: the file cannot be read, or Python knows no such encoding.
    """
    try:
        with file.open("rb") as stream:
            return encoding_of([stream.read(CHUNK)], said)
    except OSError as error:
        raise DataError(Problem(file.name, f"cannot be read: {error.strerror}")) from None


def lines(file: Path, encoding: str, newline: str) -> Iterator[str]:
    r"""Each line with its end, decoded, without a byte-order mark.

    Args:
        file: an existing file.
        encoding: `auto`, or any that Python knows.
        newline: as in `open`: `\n` ends lines there alone, "" at any line end, which is kept as it is.

    Raises:
        DataError: unknown encoding, bytes outside it, a NUL character, or nothing in the file.
    """
    found = encoding_at_start(file, encoding).name
    number, blank = 0, True
    try:
        with io.TextIOWrapper(file.open("rb"), encoding=found, newline=newline) as stream:
            for number, line in enumerate(stream, start=1):
                if "\0" in line:
                    message = f"line {number} has a NUL character: a damaged file, or dataset.encoding=utf-16"
                    raise DataError(Problem(file.name, message))
                blank = blank and not line.strip()
                yield line
    except UnicodeError:
        raise DataError(_undecodable(file, found)) from None
    except OSError as error:
        raise DataError(Problem(file.name, f"cannot be read after line {number}: {error.strerror}")) from None
    if blank:
        raise DataError(Problem(file.name, "is empty"))


def _undecodable(file: Path, encoding: str) -> Problem:
    """Where the file leaves its encoding: read once more, as the text layer counts from its own buffer."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line, end = 1, False
    with file.open("rb") as stream:
        while not end:
            chunk = stream.read(CHUNK)
            end = not chunk
            try:
                line += decoder.decode(chunk, final=end).count("\n")
            except UnicodeDecodeError as error:
                line += error.object[: error.start].decode(encoding, "replace").count("\n")
                message = f"line {line} is not {encoding}: byte 0x{error.object[error.start]:02x}"
                return Problem(file.name, f"{message}; say dataset.encoding=cp1252, or what it is")
            except UnicodeError as error:
                return Problem(file.name, f"is not {encoding}: {error}")
    return Problem(file.name, f"is not {encoding}")
