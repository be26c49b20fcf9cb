"""Checks that a file is text, block by block, and opens it as such. Knows no format of rows."""

from __future__ import annotations

import codecs
import itertools
import logging
import re
from pathlib import Path
from typing import TextIO

from tunebook.data.reading.encodings import AROUND, AUTO, Encoding, encoding_of, guess, mostly_utf8
from tunebook.data.reading.paths import blocks_of
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


def check_text(file: Path, encoding: str, limit: int | None = None) -> str:
    """The encoding of a file, every byte (of `limit`, where it is given) of which has been decoded.

    The stated one, or for `auto` as detected; a guess is reported in the log.

    Raises:
        DataError: unknown encoding, bytes outside it, NUL characters, another kind of file, or nothing in it.
    """
    first = next(blocks_of(file, limit), b"")
    for beginning, message in _BEGINNINGS.items():
        if first.startswith(beginning):
            raise DataError(Problem(file.name, message))
    detected = encoding_of(blocks_of(file, limit), encoding)
    decoder = codecs.getincrementaldecoder(detected.name)()
    read, lines, blank, beyond, shown = 0, 1, True, 0, ""
    for block in itertools.chain(blocks_of(file, limit), [b""]):
        last = not block
        if last and read == limit:
            break  # the limit may cut a character in two
        read += len(block)
        try:
            text = decoder.decode(block, final=last)
        except UnicodeError as error:
            raise DataError(_undecodable(file, read, error, detected, encoding)) from None
        if detected.guessed and (control := _CONTROL.search(text)):
            line = lines + text.count("\n", 0, control.start())
            message = f"is no text, or in an encoding that must be named: line {line} has control characters"
            raise DataError(Problem(file.name, f"{message}; say dataset.encoding=…"))
        if "\0" in text:
            raise DataError(_nul(file, block, lines + text.count("\n", 0, text.index("\0"))))
        blank = blank and not text.strip()
        if detected.guessed:
            beyond += len(block) - len(block.translate(None, delete=bytes(range(128, 256))))
            shown = shown or _first_beyond(text, lines)
        lines += text.count("\n")
    if blank:
        raise DataError(Problem(file.name, "holds nothing but blank lines" if read else "is empty"))
    if shown and limit is None:
        logger.warning(
            "%s: is not UTF-8 and is read as %s, which is a guess: %s bytes are not ASCII, the first on %s; "
            "say dataset.encoding=%s if that is right, or the right one",
            file.name, detected.name, f"{beyond:,}", shown, detected.name,
        )  # fmt: skip
    return detected.name


def open_text(file: Path, encoding: str, newline: str = "") -> TextIO:
    """The file's text, its line ends as they are; lines end at `newline`, by default at any kind of line end."""
    return file.open(encoding=encoding, newline=newline)


def read_text(file: Path, encoding: str, limit: int | None = None) -> str:
    """The text of a file, or of its first `limit` bytes, without a byte-order mark; raises as `check_text` does."""
    decoder = codecs.getincrementaldecoder(check_text(file, encoding, limit))()
    return "".join(decoder.decode(block) for block in blocks_of(file, limit))


def _undecodable(file: Path, read: int, error: UnicodeError, used: Encoding, stated: str) -> Problem:
    name = f"UTF-8, nor {used.name} as it seemed" if used.guessed else "utf-8" if stated == AUTO else stated
    if not isinstance(error, UnicodeDecodeError):
        return Problem(file.name, f"is not {name}: {error}")
    offset = read - len(error.object) + error.start
    with file.open("rb") as stream:
        before = stream.read(offset)
        content = before[-2 * AROUND :]
        at = len(content)
        content += stream.read(AROUND)
    where = f"is not {name}: byte 0x{content[at]:02x} at offset {offset}, line {before.count(10) + 1}"
    if used.guessed:
        fix = "say dataset.encoding=…"
    elif mostly_utf8(content, at):
        fix = "the text around it is UTF-8, so it is damaged: correct it"
    else:
        fix = f"try dataset.encoding={guess(content, at)}"
    return Problem(file.name, f"{where}; {fix}")


def _nul(file: Path, block: bytes, line: int) -> Problem:
    even, odd = block[::2].count(0), block[1::2].count(0)
    wide = "utf-16-le" if odd > even else "utf-16-be"
    hint = f"dataset.encoding={wide}" if even + odd > len(block) / 4 else "a damaged file"
    return Problem(file.name, f"line {line} has a NUL character: {hint}")


def _first_beyond(text: str, lines: int) -> str:
    """Where the first character that is not ASCII is, in words; "" where there is none."""
    first = next((at for at, sign in enumerate(text) if ord(sign) > 127), None)
    if first is None:
        return ""
    shown = " ".join(text[max(0, first - 20) : first + 20].split())
    return f"line {lines + text.count(chr(10), 0, first)} (… {shown} …)"
