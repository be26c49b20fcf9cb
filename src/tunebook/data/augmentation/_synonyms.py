"""Reads a word list with synonyms, line by line, and reports which line is wrong. Knows files alone."""

from __future__ import annotations

import re
from pathlib import Path

from tunebook.errors import Problem

KEY = "augmentation.synonyms"
FORM = "a line is `word: synonym, another synonym`"
FOREIGN = '{}[]"'
"""Signs of JSON and the like, which are in no word."""
SHOWN = 20


def read(path: str) -> tuple[dict[str, tuple[str, ...]], list[Problem]]:
    """A word's synonyms by the word in small letters, and everything that is wrong with the file, which is UTF-8.

    One line a word: `word: synonym, another synonym`; a tab or a comma may take the place of the colon. Empty
    lines and those that begin with # are left out. A word on two lines has the synonyms of both.
    """
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        return {}, [Problem(KEY, f"cannot be read: {why}", path)]
    known: dict[str, tuple[str, ...]] = {}
    problems = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        word, others, wrong = _line(line)
        if wrong:
            problems.append(Problem(KEY, wrong, f"{path}:{number}"))
        else:
            known[word] = tuple(dict.fromkeys([*known.get(word, ()), *others]))
    if not known and not problems:
        problems.append(Problem(KEY, f"holds no word; {FORM}", path))
    if len(problems) > SHOWN:
        problems[SHOWN:] = [Problem(KEY, f"and {len(problems) - SHOWN} more lines that are wrong", path)]
    return known, problems


def _line(line: str) -> tuple[str, list[str], str | None]:
    if foreign := [sign for sign in FOREIGN if sign in line]:
        return "", [], f"holds {foreign[0]}, which no word has; the list is plain text, not JSON: {FORM}"
    first, *rest = re.split(r"[:\t,]", line, maxsplit=1)
    word = first.strip().lower()
    others = [part.strip() for part in re.split(r"[,\t]", rest[0])] if rest else []
    others = [other for other in others if other and other.lower() != word]
    if not word or len(word.split()) > 1:
        return "", [], f"{first.strip()!r} is no single word; {FORM}"
    if not others:
        return "", [], f"no synonym of {word!r}; {FORM}"
    return word, others, None
