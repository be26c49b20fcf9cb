"""Small changes to the words of a text: deletion, swap, typing errors, case, synonyms. Knows strings alone.

A text is its words and the white space between them (`split`), so that what is not changed stays as it was. Each
function takes the words and random numbers and gives new words; how many numbers it takes depends on the words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np

ROWS = {
    "qwerty": ("qwertyuiop", "asdfghjkl", "zxcvbnm"),
    "qwertz": ("qwertzuiopü", "asdfghjklöä", "yxcvbnm"),
    "azerty": ("azertyuiop", "qsdfghjklm", "wxcvbn"),
}
"""The letters of a keyboard, row by row; a row is about half a key to the right of the one above it."""

Numbers = np.random.Generator
Synonyms = Mapping[str, tuple[str, ...]]

_CORE = re.compile(r"^(\W*)(.*?)(\W*)$", re.DOTALL)


def split(text: str) -> tuple[list[str], list[str]]:
    """The words of a text and the gaps before, between and after them: one more gap than words."""
    return re.findall(r"\S+", text), re.split(r"\S+", text)


def join(words: list[str], gaps: list[str]) -> str:
    """The text of words and the gaps around them, one more than words."""
    return gaps[0] + "".join(word + gap for word, gap in zip(words, gaps[1:], strict=True))


def delete(words: list[str], gaps: list[str], numbers: Numbers, probability: float) -> tuple[list[str], list[str]]:
    """Leaves out each word with a probability, and the gap behind it; never the last one that is left."""
    left = [at for at, draw in enumerate(numbers.random(len(words))) if draw >= probability]
    if words and not left:
        left = [int(numbers.integers(len(words)))]
    if len(left) == len(words):
        return words, gaps
    # The text's own ends stay: its first gap and its last one.
    inner = [gaps[at + 1] for at in left[:-1]]
    return [words[at] for at in left], [gaps[0], *inner, gaps[-1]]


def swap(words: list[str], numbers: Numbers, probability: float) -> list[str]:
    """Lets each word with a probability trade places with the next one; a word moves at most once."""
    words = list(words)
    at = 0
    for draw in numbers.random(max(len(words) - 1, 0)):
        if draw < probability and at < len(words) - 1:
            words[at], words[at + 1] = words[at + 1], words[at]
            at += 1
        at += 1
    return words


def keyboard(words: list[str], numbers: Numbers, probability: float, layout: str) -> list[str]:
    """Replaces in each word with a probability one letter by a neighbour on the keyboard; lengths stay."""
    near = neighbours(layout)
    return [
        _mistyped(word, numbers, near) if draw < probability else word
        for word, draw in zip(words, numbers.random(len(words)), strict=True)
    ]


def case(words: list[str], numbers: Numbers, probability: float) -> list[str]:
    """Writes each word with a probability in capitals, in small letters, or with its first letter's case changed."""
    ways: tuple[Callable[[str], str], ...] = (
        lambda word: _letters(word, str.upper),
        lambda word: _letters(word, str.lower),
        lambda word: _letters(word[:1], str.swapcase) + word[1:],
    )
    changed = []
    for word, draw in zip(words, numbers.random(len(words)), strict=True):
        if draw < probability:
            # From a random way on, the first one that changes the word.
            start = int(numbers.integers(len(ways)))
            written = [way(word) for way in (*ways[start:], *ways[:start])]
            word = next((other for other in written if other != word), word)
        changed.append(word)
    return changed


def synonyms(words: list[str], numbers: Numbers, probability: float, known: Synonyms) -> list[str]:
    """Replaces each word that is known with a probability by one of its synonyms; case and punctuation stay."""
    changed = []
    for word, draw, pick in zip(words, numbers.random(len(words)), numbers.random(len(words)), strict=True):
        before, core, after = _parts(word)
        others = known.get(core.lower())
        if others and draw < probability:
            word = before + _in_the_case_of(core, others[int(pick * len(others))]) + after
        changed.append(word)
    return changed


def any_known(words: list[str], known: Synonyms) -> bool:
    """Whether `synonyms` knows one of the words."""
    return any(_parts(word)[1].lower() in known for word in words)


def neighbours(layout: str) -> dict[str, str]:
    """Each letter's neighbours on a keyboard: left and right of it, and above and below."""
    near: dict[str, str] = {}
    rows = ROWS[layout]
    for at, row in enumerate(rows):
        for place, letter in enumerate(row):
            same = row[max(place - 1, 0) : place] + row[place + 1 : place + 2]
            above = rows[at - 1][place : place + 2] if at else ""
            below = rows[at + 1][max(place - 1, 0) : place + 1] if at + 1 < len(rows) else ""
            near[letter] = same + above + below
    return near


def _mistyped(word: str, numbers: Numbers, near: Mapping[str, str]) -> str:
    places = [at for at, letter in enumerate(word) if letter.lower() in near]
    if not places:
        return word
    at = places[int(numbers.integers(len(places)))]
    choice = near[word[at].lower()]
    letter = choice[int(numbers.integers(len(choice)))]
    return word[:at] + (letter.upper() if word[at].isupper() else letter) + word[at + 1 :]


def _letters(word: str, way: Callable[[str], str]) -> str:
    # 'ß' becomes 'SS' in capitals: such letters stay as they are.
    return "".join(other if len(other) == 1 else own for own, other in ((letter, way(letter)) for letter in word))


def _parts(word: str) -> tuple[str, str, str]:
    before, core, after = _CORE.findall(word)[0]  # every text has one match
    return before, core, after


def _in_the_case_of(word: str, other: str) -> str:
    if len(word) > 1 and word.isupper():
        return other.upper()
    return other[:1].upper() + other[1:] if word[:1].isupper() else other
