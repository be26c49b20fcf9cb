"""Reads JSON Lines, or one JSON array, of flat objects; tells the line where it is broken."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tunebook.data.reading.text import read_text
from tunebook.errors import DataError, Problem

SHOWN = 10
HEAD = 2**20


def read(file: Path, encoding: str = "utf-8") -> dict[str, list[Any]]:
    """Columns with their JSON values; a key that a row lacks is None.

    Raises:
        DataError: with every broken line.
    """
    rows, problems = [], []
    for place, entry in _entries(file, read_text(file, encoding)):
        if isinstance(entry, dict):
            rows.append(entry)
        else:
            problems.append(f"{place} {entry if isinstance(entry, Broken) else 'is not an object'}")
    if problems:
        shown = "; ".join(problems[:SHOWN])
        more = f"; … ({len(problems)} in all)" if len(problems) > SHOWN else ""
        raise DataError(Problem(file.name, shown + more))
    if not rows:
        raise DataError(Problem(file.name, "is an empty array"))
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def header(file: Path, encoding: str = "utf-8") -> list[str] | None:
    """Keys of the first row of JSON Lines; None where the file must be read whole to tell.

    Raises:
        DataError: the first line is not an object.
    """
    text = read_text(file, encoding, HEAD)
    if text.lstrip().startswith("[") or "\n" not in text.lstrip():
        return None
    place, entry = next(_entries(file, text))
    if isinstance(entry, dict):
        return list(entry)
    raise DataError(Problem(file.name, f"{place} {entry if isinstance(entry, Broken) else 'is not an object'}"))


class Broken(str):
    """Why a line is not JSON."""


def _entries(file: Path, text: str) -> Iterator[tuple[str, Any]]:
    if text.lstrip().startswith("["):
        yield from _array(file, text)
        return
    # Only \n ends a line: str.splitlines would also cut at U+2028, which JSON allows inside text.
    for number, line in enumerate(io.StringIO(text), start=1):
        if line.strip():
            yield f"line {number}", _parsed(line)


def _array(file: Path, text: str) -> Iterator[tuple[str, Any]]:
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(Problem(file.name, f"line {error.lineno} {_why(error)}")) from None
    except RecursionError:
        raise DataError(Problem(file.name, "is nested too deep for a table of rows")) from None
    for number, entry in enumerate(entries):
        yield f"entry {number}", entry


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        return Broken(_why(error))
    except RecursionError:
        return Broken("is nested too deep for a table of rows")


def _why(error: json.JSONDecodeError) -> str:
    return f"is not JSON: {error.msg}, column {error.colno}"
