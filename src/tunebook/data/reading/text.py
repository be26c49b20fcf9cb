"""Turns a text file's bytes into text, or says why they are none. Knows no format of rows."""

from __future__ import annotations

import codecs
import logging
import re
from pathlib import Path

from tunebook.data.reading.encodings import AUTO, Encoding, encoding_of, guess, mostly_utf8
from tunebook.errors import DataError, Problem

logger = logging.getLogger("tunebook")

_BEGINNINGS = {
    b"PK\x03\x04": "is a ZIP archive or an Excel workbook, not text; save its sheet as CSV, or unpack it",
    b"\xd0\xcf\x11\xe0\xa1\xb1": "is an old Excel workbook, not text; save its sheet as CSV",
    b"\x1f\x8b": "is compressed (gzip); unpack it",
    b"BZh": "is compressed (bzip2); unpack it",
    b"\xfd7zXZ\0": "is compressed (xz); unpack it",
    b"\x28\xb5\x2f\xfd": "is compressed (zstd); unpack it",
    b"PAR1": "is a Parquet file; say dataset.format=parquet",
    b"ARROW1": "is an Arrow file, not text; folders of save_to_disk are read by dataset=arrow",
    b"%PDF": "is a PDF, not text",
    b"SQLite format 3\0": "is an SQLite database, not text; export its table as CSV",
}
# What no text holds, though many encodings have characters for it.
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f]")


def read_text(file: Path, encoding: str, limit: int = -1) -> str:
    """The text of a file, without a byte-order mark. An encoding that is a guess is told in the log.

    Args:
        file: an existing file.
        encoding: `auto`, or any that Python knows.
        limit: bytes to read at most; -1 for all.

    Raises:
        DataError: unknown encoding, bytes outside it, NUL characters, another kind of file, or nothing in it.
    """
    content = _bytes(file, limit)
    for beginning, message in _BEGINNINGS.items():
        if content.startswith(beginning):
            raise DataError(Problem(file.name, message))
    found = encoding_of([content], encoding)
    # A limit may cut a character in two; only a whole file must end with a whole one.
    text = _decoded(file, content, found, encoding, whole=len(content) != limit)
    if "\0" in text:
        raise DataError(_nul(file, content, text))
    if not text.strip():
        raise DataError(Problem(file.name, "is empty" if not content else "holds nothing but blank lines"))
    if found.guessed and limit < 0:
        _tell_guess(file, content, text, found)
    return text


def _bytes(file: Path, limit: int) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(limit)
    except OSError as error:
        raise DataError(Problem(file.name, f"cannot be read: {error.strerror}")) from None


def _decoded(file: Path, content: bytes, found: Encoding, said: str, whole: bool) -> str:
    try:
        text = codecs.getincrementaldecoder(found.name)().decode(content, final=whole)
    except UnicodeError as error:
        raise DataError(_undecodable(file, content, error, found, said)) from None
    control = _CONTROL.search(text) if found.guessed else None
    if control:
        line = text.count("\n", 0, control.start()) + 1
        message = f"is no text, or in an encoding that must be said: line {line} has control characters"
        raise DataError(Problem(file.name, f"{message}; say dataset.encoding=…"))
    return text


def _undecodable(file: Path, content: bytes, error: UnicodeError, found: Encoding, said: str) -> Problem:
    name = f"UTF-8, nor {found.name} as it seemed" if found.guessed else "utf-8" if said == AUTO else said
    if not isinstance(error, UnicodeDecodeError):
        return Problem(file.name, f"is not {name}: {error}")
    # utf-8-sig counts from behind the byte-order mark, which error.object then lacks.
    offset = error.start + len(content) - len(error.object)
    line = content.count(b"\n", 0, offset) + 1
    where = f"is not {name}: byte 0x{content[offset]:02x} at offset {offset}, line {line}"
    if found.guessed:
        mend = "say dataset.encoding=…"
    elif mostly_utf8(content, offset):
        mend = "the text around it is UTF-8, so it is damaged: mend it"
    else:
        mend = f"try dataset.encoding={guess(content, offset)}"
    return Problem(file.name, f"{where}; {mend}")


def _nul(file: Path, content: bytes, text: str) -> Problem:
    line = text.count("\n", 0, text.index("\0")) + 1
    even, odd = content[::2].count(0), content[1::2].count(0)
    wide = "utf-16-le" if odd > even else "utf-16-be"
    hint = f"dataset.encoding={wide}" if even + odd > len(content) / 4 else "a damaged file"
    return Problem(file.name, f"line {line} has a NUL character: {hint}")


def _tell_guess(file: Path, content: bytes, text: str, found: Encoding) -> None:
    beyond = len(content) - len(content.translate(None, delete=bytes(range(128, 256))))
    first = next((number for number, sign in enumerate(text) if ord(sign) > 127), 0)
    line = text.count("\n", 0, first) + 1
    shown = " ".join(text[max(0, first - 20) : first + 20].split())
    logger.warning(
        "%s: is not UTF-8 and is read as %s, which is a guess: %s bytes are not ASCII, the first on line %s (… %s …); "
        "say dataset.encoding=%s if that is right, or the right one",
        file.name, found.name, f"{beyond:,}", line, shown, found.name,
    )  # fmt: skip
