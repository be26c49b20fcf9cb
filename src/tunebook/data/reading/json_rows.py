"""Reads JSON Lines, or one JSON document with an array, of objects; reports the line where it is broken."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tunebook.data.reading.text import check_text, open_text, read_text
from tunebook.errors import DataError, Problem, did_you_mean

SHOWN = 10
HEAD = 2**20


class Broken(str):
    """Why a line is not JSON."""


def chunks(file: Path, rows: int, encoding: str = "auto", field: str | None = None) -> Iterator[dict[str, list[Any]]]:
    """Columns with their JSON values, so many rows at once; a key that a row lacks is None.

    JSON Lines are read line by line; a file that is one array is read whole. Where it is one object, `field` is the
    key of the array in it; a dotted one leads deeper.

    Raises:
        DataError: with every broken line; some of it only at the end.
    """
    encoding = check_text(file, encoding)
    part: list[dict[str, Any]] = []
    names: dict[str, None] = {}
    problems: list[str] = []
    count = wrong = 0
    for place, entry in _entries(file, encoding, field):
        if not isinstance(entry, dict):
            wrong += 1
            problems += [f"{place} {_no_row(entry)}"] if len(problems) < SHOWN else []
            continue
        part.append(entry)
        names |= dict.fromkeys(entry)
        count += 1
        if len(part) >= rows and names:
            yield {name: [row.get(name) for row in part] for name in names}
            part = []
    if wrong or (count == 1 and file.suffix.lower() == ".json"):
        _check_one_document(file, encoding, field)
    if wrong:
        more = f"; … ({wrong} in all)" if wrong > SHOWN else ""
        raise DataError(Problem(file.name, "; ".join(problems) + more))
    if not count:
        raise DataError(Problem(file.name, "is an empty array"))
    if not names:
        raise DataError(Problem(file.name, f"has no keys in any of its {count} rows"))
    if part:
        yield {name: [row.get(name) for row in part] for name in names}


def header(file: Path, encoding: str = "auto", field: str | None = None) -> list[str] | None:
    """Keys of the first rows of JSON Lines, the first of which must be an object; None: only the whole file shows."""
    text = read_text(file, encoding, HEAD).lstrip()
    # The last line may be cut; and the first one of an object over several lines ends with what opens the next.
    whole, _, rest = text.rpartition("\n")
    if field or text.startswith("[") or not whole or whole.partition("\n")[0].rstrip().endswith(("{", "[", ",")):
        return None
    rows = list(lines_of(io.StringIO(whole)))
    place, first = rows[0]
    if not isinstance(first, dict):
        raise DataError(Problem(file.name, f"{place} {_no_row(first)}"))
    if len(rows) == 1 and not rest.strip():
        return None
    return list(dict.fromkeys(name for _, row in rows if isinstance(row, dict) for name in row))


def _entries(file: Path, encoding: str, field: str | None) -> Iterator[tuple[str, Any]]:
    """Each entry with its place: of an array, or of a field's, or each line."""
    if field or _first_sign(file, encoding) == "[":
        document = _document(file, encoding)
        for number, entry in enumerate(_under(file.name, document, field) if field else document):
            yield f"entry {number}", entry
        return
    # Only \n ends a line: U+2028, say, may be inside text.
    with open_text(file, encoding, newline="\n") as lines:
        yield from lines_of(lines)


def _first_sign(file: Path, encoding: str) -> str:
    """The first character that is not blank."""
    with open_text(file, encoding) as stream:
        return next((sign for line in stream if (sign := line.strip()[:1])), "")


def lines_of(lines: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Each line that is not blank, parsed as it is asked for; `Broken` where it is no JSON."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield f"line {number}", _parsed(line)


def _document(file: Path, encoding: str) -> Any:
    with open_text(file, encoding) as stream:
        document = _parsed(stream.read(), with_line=True)
    if isinstance(document, Broken):
        raise DataError(Problem(file.name, str(document)))
    return document


def _parsed(text: str, with_line: bool = False) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno} " if with_line else ""
        return Broken(f"{line}is not JSON: {error.msg}, column {error.colno}")
    except ValueError as error:
        return Broken(str(error))
    except RecursionError:
        return Broken("is nested too deep for a table of rows")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"has the key {repeated!r} twice in one object")
    return content


def _under(name: str, document: Any, field: str) -> list[Any]:
    value = document
    for key in field.split("."):
        if not isinstance(value, dict) or key not in value:
            keys = list(value) if isinstance(value, dict) else []
            raise DataError(Problem("dataset.field", f"{name} has no {field!r}; {did_you_mean(key, keys)}"))
        value = value[key]
    if not isinstance(value, list):
        raise DataError(Problem("dataset.field", f"{field!r} of {name} is no array of rows"))
    return value


def _check_one_document(file: Path, encoding: str, field: str | None) -> None:
    """A whole object, on one line or over several, is no row: its rows may be one step down."""
    name = file.name
    if field or _first_sign(file, encoding) != "{":
        return
    with open_text(file, encoding) as stream:
        text = stream.read()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return
    arrays = [key for key, value in document.items() if isinstance(value, list) and value]
    rows = [key for key in arrays if all(isinstance(entry, dict) for entry in document[key])]
    if rows:
        message = f"is one object; its rows seem to be its {rows[0]!r}: say dataset.field={rows[0]}"
        raise DataError(Problem(name, message))
    if len(arrays) == len(document) > 1 and text.strip().count("\n"):
        message = f"is one object of columns ({', '.join(arrays[:SHOWN])}), not rows; write one object a line"
        raise DataError(Problem(name, message))


def _no_row(entry: Any) -> str:
    return str(entry) if isinstance(entry, Broken) else "is not an object"
