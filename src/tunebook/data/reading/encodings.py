"""Says which encoding a text is in: by its mark, as UTF-8, or as a guess. Knows bytes only; logs nothing."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from dataclasses import dataclass

from tunebook.errors import DataError, Problem

AUTO = "auto"
AROUND = 20_000
# The longer marks first: UTF-32's begins with UTF-16's.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_WESTERN = "cp1252"
# What is guessed among; statistics over all that Python knows take French for an old Macintosh code.
_OTHERS = [
    *("cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256"),
    *("shift_jis", "euc_jp", "gb18030", "big5", "cp949"),
]
_SIGNS = set("‘’‚“”„–—…•€£§©®°«»¡¿ºª´·½¼\xa0")


@dataclass(frozen=True)
class Encoding:
    """An encoding as Python knows it, and whether it is a guess."""

    name: str
    guessed: bool = False


def encoding_of(blocks: Iterable[bytes], stated: str) -> Encoding:
    """The encoding of a text, of whose blocks only as many are read as it takes.

    The stated one; for `auto` by the byte-order mark, else UTF-8 where every byte fits, else a guess.

    Raises:
        DataError: Python knows no encoding of the stated name.
    """
    if stated != AUTO:
        return Encoding(_known(stated))
    decoder = codecs.getincrementaldecoder("utf-8")()
    before = b""
    for number, block in enumerate(blocks):
        marked = [name for mark, name in _MARKS.items() if block.startswith(mark)] if number == 0 else []
        if marked:
            return Encoding(marked[0])
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            content, offset = before + block, error.start + len(before) + len(block) - len(error.object)
            if mostly_utf8(content, offset):
                break
            return Encoding(guess(content, offset), guessed=True)
        before = block[-2 * AROUND :]
    # Decoding reports a broken byte, and a last character that is cut in two.
    return Encoding("utf-8")


def mostly_utf8(content: bytes, offset: int) -> bool:
    """Whether a text is UTF-8 but for some broken bytes, near one of them: any other encoding would garble the rest."""
    text = content[max(0, offset - AROUND) : offset + AROUND].decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    return sum(ord(sign) > 127 for sign in text) - broken > broken


def guess(content: bytes, offset: int) -> str:
    """The likeliest encoding of a text whose first byte that is not UTF-8 is at `offset`.

    Windows code pages differ in a few letters that statistics cannot tell apart; the western one is taken wherever
    it gives letters and common signs, and few of them.
    """
    from charset_normalizer import from_bytes

    begin = content.rfind(b"\n", 0, max(0, offset - AROUND)) + 1
    sample = content[begin : offset + AROUND]
    if _western(sample):
        return _WESTERN
    best = from_bytes(sample, cp_isolation=_OTHERS).best()
    return _WESTERN if best is None or best.encoding in {"ascii", "utf_8"} else best.encoding


def _western(sample: bytes) -> bool:
    try:
        text = sample.decode(_WESTERN)
    except UnicodeDecodeError:
        return False
    beyond = [sign for sign in text if ord(sign) > 127]
    letters = sum(sign.isalpha() for sign in text)
    few = sum(sign.isalpha() for sign in beyond) <= max(2, 0.3 * letters)
    return few and all(sign.isalpha() or sign in _SIGNS for sign in beyond)


def _known(stated: str) -> str:
    try:
        codec = codecs.lookup(stated)
        "".encode(stated)  # refused for those of bytes, such as base64
    except (LookupError, UnicodeError):
        message = f"Python knows no encoding {stated!r}; common ones: auto, utf-8, latin-1, cp1252, utf-16"
        raise DataError(Problem("dataset.encoding", message)) from None
    # utf-8-sig is utf-8 that also takes the byte-order mark which Excel writes.
    return "utf-8-sig" if codec.name == "utf-8" else stated
