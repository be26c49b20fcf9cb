"""Turns a text file's bytes into text, or says at which byte it is not the encoding it should be."""

from __future__ import annotations

import codecs
from pathlib import Path

from tunebook.errors import DataError, Problem


def read_text(file: Path, encoding: str, limit: int = -1) -> str:
    """The text of a file, without a byte-order mark.

    Args:
        file: an existing file.
        encoding: any that Python knows.
        limit: bytes to read at most; -1 for all.

    Raises:
        DataError: unknown encoding, bytes outside it, NUL characters, or nothing in the file.
    """
    content = _bytes(file, limit)
    try:
        decoder = codecs.getincrementaldecoder(_with_mark(encoding))()
        # A limit may cut a character in two; only a whole file must end with a whole one.
        text = decoder.decode(content, final=len(content) != limit)
    except LookupError:
        message = f"Python knows no encoding {encoding!r}; common ones: utf-8, latin-1, cp1252, utf-16"
        raise DataError(Problem("dataset.encoding", message)) from None
    except UnicodeError as error:
        raise DataError(_undecodable(file, content, error, encoding)) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        message = f"line {line} has a NUL character: a damaged file, or dataset.encoding=utf-16"
        raise DataError(Problem(file.name, message))
    if not text.strip():
        raise DataError(Problem(file.name, "is empty"))
    return text


def _bytes(file: Path, limit: int) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(limit)
    except OSError as error:
        raise DataError(Problem(file.name, f"cannot be read: {error.strerror}")) from None


def _with_mark(encoding: str) -> str:
    # utf-8-sig is utf-8 that also takes the byte-order mark which Excel writes.
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding


def _undecodable(file: Path, content: bytes, error: UnicodeError, encoding: str) -> Problem:
    if not isinstance(error, UnicodeDecodeError):
        return Problem(file.name, f"is not {encoding}: {error}")
    # utf-8-sig counts from behind the byte-order mark, which error.object then lacks.
    offset = error.start + len(content) - len(error.object)
    line = content.count(b"\n", 0, offset) + 1
    where = f"is not {encoding}: byte 0x{content[offset]:02x} at offset {offset}, line {line}"
    return Problem(file.name, f"{where}; try dataset.encoding={_guess(content, offset)}")


def _guess(content: bytes, offset: int) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(content[max(0, offset - 20_000) : offset + 20_000]).best()
    if best is None or best.encoding in {"ascii", "utf_8"}:
        return "latin-1"
    # Windows code pages differ in a few letters that statistics cannot tell apart; the western one is the usual.
    windows = best.encoding.startswith("cp125")
    return f"cp1252 (western Windows), or {best.encoding}" if windows and best.encoding != "cp1252" else best.encoding
