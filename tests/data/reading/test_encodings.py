"""Which encoding a text is taken for: by its mark, as UTF-8, or as a guess."""

from __future__ import annotations

import codecs

import pytest

from tunebook.data.reading.encodings import Encoding, encoding_of
from tunebook.errors import DataError

FRENCH = "Le café était très agréable, à côté de la forêt. "
GERMAN = "Die Größe der Häuser überrascht; „schöne“ Straße für 5 €. "
POLISH = "Zażółć gęślą jaźń, świetny film i bardzo dobra gra aktorów. "
RUSSIAN = "Очень хороший фильм, всем советую посмотреть. "
CHINESE = "这部电影非常好看，值得推荐。"


@pytest.mark.parametrize("times", [1, 50])
@pytest.mark.parametrize(
    ("text", "written", "found"),
    [
        (FRENCH, "latin-1", "cp1252"),
        (GERMAN, "cp1252", "cp1252"),
        (POLISH, "cp1250", "cp1250"),
        (RUSSIAN, "cp1251", "cp1251"),
        (RUSSIAN, "koi8-r", "koi8_r"),
        (CHINESE, "gbk", "gb18030"),
    ],
)
def test_a_guess_reads_the_text(text, written, found, times):
    content = ("text,label\n" + f"{text},1\n" * times).encode(written)
    assert encoding_of([content], "auto") == Encoding(found, guessed=True)
    assert text in content.decode(found)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"plain", "utf-8"),
        (FRENCH.encode(), "utf-8"),
        (codecs.BOM_UTF8 + b"plain", "utf-8-sig"),
        (FRENCH.encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + FRENCH.encode("utf-16-be"), "utf-16"),
        (FRENCH.encode("utf-32"), "utf-32"),
        (codecs.BOM_UTF32_BE + FRENCH.encode("utf-32-be"), "utf-32"),
        # Damaged, and no reason to read all of it as something else.
        (FRENCH.encode() + b"\xff\xe9" + FRENCH.encode(), "utf-8"),
        (b"", "utf-8"),
    ],
)
def test_what_needs_no_guess(content, found):
    assert encoding_of([content], "auto") == Encoding(found)


def test_a_character_may_lie_on_the_border_of_two_blocks():
    content = FRENCH.encode()
    at = content.index("é".encode()) + 1
    assert encoding_of([content[:at], content[at:]], "auto") == Encoding("utf-8")


def test_only_as_much_is_read_as_it_takes():
    def blocks():
        yield codecs.BOM_UTF8 + b"a"
        raise AssertionError("the mark has said it")

    assert encoding_of(blocks(), "auto").name == "utf-8-sig"


@pytest.mark.parametrize(("said", "name"), [("utf-8", "utf-8-sig"), ("UTF8", "utf-8-sig"), ("latin-1", "latin-1")])
def test_what_is_said_is_taken(said, name):
    assert encoding_of([b"\xff"], said) == Encoding(name)


@pytest.mark.parametrize("said", ["utf-9", "base64", "hex", "undefined"])
def test_what_is_no_encoding_of_text(said):
    with pytest.raises(DataError, match=f"no encoding '{said}'"):
        encoding_of([b""], said)
