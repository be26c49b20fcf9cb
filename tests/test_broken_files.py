"""Broken, odd and mistaken files of every kind: each is refused in words or read whole; none ends in a traceback.

One table. A case writes files and says what must come of them: the parts of the message that refuses them, or the
number of training rows that are there, with what is told beside.
"""

from __future__ import annotations

import gzip
import io
import json
import logging
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from datasets import Dataset, DatasetDict
from PIL import Image
from pyarrow import parquet

from tests.commands import typed
from tests.data.small_tasks import IMAGE, LABELS, TEXT, task
from tunebook.config import registry
from tunebook.config.schema import CleaningConfig, DatasetConfig
from tunebook.data import preflight
from tunebook.data.columns import Column
from tunebook.data.prepare import prepare
from tunebook.errors import TunebookError

KEEP = CleaningConfig(duplicates="ignore", near_duplicates="ignore", conflicts="ignore", leaks="ignore",
                      near_leaks="ignore")  # fmt: skip
GOOD = "text,label\ngood film,1\nbad film,0\nfine film,1\npoor film,0\n"


@dataclass(frozen=True)
class Case:
    """What is written and what must come of it.

    Args:
        name: of the file, or of the folder.
        content: its text or bytes, or what writes it at a path.
        refused: parts of the message; empty where the file is read.
        rows: training rows that must be there where it is read.
        told: what the log must say beside.
        options: of the source.
        source: which one.
        fields: of `dataset`.
        kind: of the labels.
    """

    name: str
    content: str | bytes | Callable[[Path], None]
    refused: tuple[str, ...] = ()
    rows: int = 0
    told: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    source: str = "files"
    fields: dict[str, Any] = field(default_factory=dict)
    kind: str = "single_label"


def table(**columns: Any) -> Callable[[Path], None]:
    return lambda path: parquet.write_table(pyarrow.table(columns), path)


def cut_table(path: Path) -> None:
    table(text=["a"] * 999, label=list(range(999)))(path)
    path.write_bytes(path.read_bytes()[:-100])


def changed_table(path: Path) -> None:
    """A page of data overwritten: the file's own end is whole."""
    parquet.write_table(pyarrow.table({"text": [f"text {i}" for i in range(999)], "label": [0, 1, 1] * 333}), path)
    content = bytearray(path.read_bytes())
    content[20:400] = b"\xff" * 380
    path.write_bytes(bytes(content))


def nested_table(path: Path) -> None:
    table(text=[{"en": "a", "de": "b"}] * 4, label=[0, 1, 0, 1])(path)


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")


def linked(path: Path) -> None:
    path.symlink_to("not/there.csv")


def locked(path: Path) -> None:
    path.write_text(GOOD)
    path.chmod(0)


def saved(damage: Callable[[Path], Any]) -> Callable[[Path], None]:
    """A folder of save_to_disk in two files, with something done to it."""

    def write(path: Path) -> None:
        rows = Dataset.from_dict({"text": list("abcd"), "label": [0, 1, 0, 1]})
        DatasetDict(train=rows).save_to_disk(path, num_shards={"train": 2})
        damage(path / "train")

    return write


def pictures(**others: bytes) -> Callable[[Path], None]:
    """A CSV of two good images and of others, by their names without an ending, as `.png`."""

    def write(path: Path) -> None:
        for at, name in enumerate(("one", "two")):
            Image.new("RGB", (20, 16), (at * 90, 0, 0)).save(path.parent / f"{name}.png")
        for name, content in others.items():
            (path.parent / f"{name}.png").write_bytes(content)
        names = ["one", "two", *others]
        path.write_text("image,label\n" + "".join(f"{name}.png,{at % 2}\n" for at, name in enumerate(names)))

    return write


def vast_png() -> bytes:
    """A few bytes that claim to be 50,000 by 50,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    size = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 99)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def jpeg() -> bytes:
    held = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(held, "JPEG")
    return held.getvalue()


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


MANY = "text,label\n" + "".join(f"text {i},label {i}\n" for i in range(5000))
MERGED = 'text\tlabel\n"great film\t1\nso so\t0\ndull\t0\nbad"\t0\n'
CAFE = "text,label\ncafé one,1\nthé two,0\ncafé three,1\nthé four,0\n"

CASES = {
    # cells and lines
    "too many cells": Case("a.csv", GOOD + "one, two,1\n", ("a.csv", "1 row has another number", "line 6 (3)")),
    "too few cells": Case("a.csv", GOOD + "one\n", ("a.csv", "line 6 (1)")),
    "only a header": Case("a.csv", "text,label\n", ("a.csv", "has a header and no rows")),
    "an empty file": Case("a.csv", "", ("a.csv", "is empty")),
    "only blank lines": Case("a.csv", "\n\n \r\n\n", ("a.csv", "nothing but blank lines")),
    "only blank lines of JSON": Case("a.jsonl", "\n\n", ("a.jsonl", "nothing but blank lines")),
    "only commas": Case("a.csv", ",,\n,,\n", ("a.csv", "two columns of one name")),
    "one row": Case("a.csv", "text,label\ngood,1\n", ("one class only", "'1'")),
    "two columns of one name": Case("a.csv", "text,label,label\na,1,0\n", ("two columns of one name: 'label'",)),
    "a column without a name": Case("a.csv", "text,,label\na,b,1\n", ("column 2 of 3",)),
    "a quotation mark left open": Case(
        "a.csv", GOOD + '"open,1\nmore,0\n', ("a.csv", "line 6", "dataset.quoting=none")
    ),
    "quotation marks that merge lines": Case(
        "a.tsv", MERGED, ("a.tsv", "has 1 rows", "as text 4 rows", "quoting=none")
    ),
    "the same, as text": Case("a.tsv", MERGED, rows=4, options={"quoting": "none"}),
    "lines that end with \\r": Case("a.csv", GOOD.replace("\n", "\r"), rows=4),
    "line ends of three kinds": Case("a.csv", "text,label\r\na,1\nb,0\rc,1\r\nd,0", rows=4),
    "a cell of 10 MB": Case("a.csv", GOOD + "x" * 10**7 + ",1\n", rows=5),
    "a line of 3 MB without a comma": Case("a.csv", "x" * 3 * 10**6, ("no such column in a.csv", "x…")),
    "a line of 3 MB among others": Case("a.csv", GOOD + "x" * 3 * 10**6 + "\n", ("line 6 (1)",)),
    "cells by semicolon": Case(
        "a.csv", GOOD.replace(",", ";"), ("dataset.delimiter", "by ';'; say \"dataset.delimiter=';'\"")
    ),
    "no header line": Case("a.csv", GOOD.partition("\n")[2], ("has no header line", "column_names=[text,label]")),
    "a header line that is denied": Case(
        "a.csv", GOOD, ("has a header line",), options={"column_names": ["text", "label"]}
    ),  # fmt: skip
    "a column named row": Case("a.csv", "row,label\na,1\nb,0\nc,1\n", rows=3, fields={"columns": {"text": "row"}}),
    # bytes
    "a byte-order mark": Case("a.csv", b"\xef\xbb\xbf" + GOOD.encode(), rows=4),
    "UTF-16": Case("a.csv", CAFE.encode("utf-16"), rows=4),
    "UTF-16 without a mark": Case("a.csv", GOOD.encode("utf-16-le"), ("a.csv", "NUL", "dataset.encoding=utf-16-le")),
    "UTF-16, as is said": Case("a.csv", GOOD.encode("utf-16-le"), rows=4, options={"encoding": "utf-16-le"}),
    "latin-1": Case("a.csv", CAFE.encode("latin-1"), rows=4, told="read as cp1252, which is a guess: 4 bytes"),
    "latin-1, called utf-8": Case(
        "a.csv", CAFE.encode("latin-1"), ("a.csv", "is not utf-8: byte 0xe9", "line 2"), options={"encoding": "utf-8"}
    ),  # fmt: skip
    "Russian in cp1251": Case(
        "a.csv",
        "text,label\nХороший фильм,1\nПлохой фильм и скучный,0\n".encode("cp1251"),
        rows=2,
        told="cp1251, which is a guess",
    ),  # fmt: skip
    "broken bytes in UTF-8": Case("a.csv", CAFE.encode() + b"bad \xff\x81,0\n", ("byte 0xff", "line 6", "is damaged")),
    "a NUL character": Case("a.csv", GOOD.replace("fine", "fi\0ne"), ("a.csv", "line 4 has a NUL character")),
    "bytes without sense": Case("a.csv", bytes(range(1, 256)) * 40, ("a.csv",)),
    "a gzip file": Case("a.csv", gzip.compress(GOOD.encode()), ("a.csv", "compressed (gzip); unpack it")),
    "an Excel workbook": Case("a.csv", zipped, ("a.csv", "an Excel workbook", "as CSV")),
    "an Excel workbook by its name": Case("a.xlsx", zipped, ("a.xlsx", "'.xlsx'", "Save its sheet as CSV")),
    "Parquet called CSV": Case(
        "a.csv", table(text=["a"], label=[1]), ("is a Parquet file; say dataset.format=parquet",)
    ),
    "CSV called Parquet": Case("a.parquet", GOOD, ("a.parquet", "is not a whole Parquet file")),
    "an unknown encoding": Case("a.csv", GOOD, ("no encoding 'utf9'",), options={"encoding": "utf9"}),
    "an encoding that is none of text": Case("a.csv", GOOD, ("encoding 'base64'",), options={"encoding": "base64"}),
    # places
    "a folder": Case("a.csv", Path.mkdir, ("a.csv is a folder; name its files",)),
    "a link to nothing": Case("a.csv", linked, ("a.csv is a link to not/there.csv, which is not there",)),
    "a file that may not be read": Case("a.csv", locked, ("a.csv", "cannot be read: Permission denied")),
    "a table that may not be read": Case("a.parquet", locked, ("a.parquet", "cannot be read: Permission denied")),
    "a pipe": Case("a.csv", lambda path: os.mkfifo(path), ("a.csv is there, and is neither a file nor a folder",)),
    # JSON
    "a comma too many": Case("a.json", '[{"text": "a", "label": 1},\n]', ("a.json", "line 2 is not JSON")),
    "one broken line": Case(
        "a.jsonl", lines({"text": "a", "label": 1}) + '{"text": "b", "label"\n', ("line 2 is not",)
    ),
    "a number": Case("a.json", "42", ("a.json", "line 1 is not an object")),
    "a text": Case("a.json", '"text"', ("a.json", "is not an object")),
    "an empty array": Case("a.json", "[]", ("a.json", "is an empty array")),
    "an array of arrays": Case("a.json", '[["a", 1]]', ("entry 0 is not an object",)),
    "an object of rows": Case("a.json", '{"data": [{"text": "a", "label": 1}]}', ("say dataset.field=data",)),
    "a depth of 100,000": Case("a.json", "[" * 10**5, ("a.json", "nested too deep")),
    "a line of depth 100,000": Case("a.jsonl", '{"text": ' + "[" * 10**5, ("a.jsonl", "nested too deep")),
    "half a character": Case("a.jsonl", '{"text": "\\ud800", "label": 1}\n', ("'text'", "row 0", "surrogates")),
    "a key twice": Case("a.jsonl", '{"text": "a", "text": "b", "label": 1}', ("line 1 has the key 'text' twice",)),
    "a number of 5,000 digits": Case("a.jsonl", '{"text": "a", "label": ' + "9" * 5000 + "}", ("a.jsonl", "line 1")),
    "a number of 30 digits": Case("a.jsonl", '{"text": "a", "label": ' + "9" * 30 + "}", ("'label'", "row 0")),
    "JSON Lines called JSON": Case("a.json", lines(*({"text": t, "label": t} for t in "abc")), rows=3),
    "JSON called JSON Lines": Case("a.jsonl", json.dumps([{"text": t, "label": t} for t in "abc"], indent=1), rows=3),
    "text inside JSON that is a list": Case(
        "a.jsonl", lines(*({"text": [t], "label": t} for t in "ab")), ("must be text; it holds list",)
    ),  # fmt: skip
    # labels
    "numbers and text as labels": Case(
        "a.jsonl",
        lines({"text": "a", "label": 1}, {"text": "b", "label": "x"}),
        ("'label' mixes whole number (row 0) and text (row 1)",),
    ),  # fmt: skip
    "5,000 labels": Case("a.csv", MANY, ("5000 different labels", "is it the right column?")),
    "dates as labels": Case(
        "a.csv",
        "text,label\n" + "".join(f"t {i},2024-03-{i:02}\n" for i in range(1, 29)),
        ("28 different labels in 28 training rows",),
    ),  # fmt: skip
    "dates of Parquet as labels": Case(
        "a.parquet", table(text=["a", "b"], label=pyarrow.array([1, 2], pyarrow.date32())), ("values of type date",)
    ),  # fmt: skip
    "labels that are NaN": Case("a.csv", "text,label\na,1\nb,NaN\nc,0\nd,\n", ("2 rows have no label: rows 1, 3",)),
    "NaN in JSON": Case("a.jsonl", '{"text": "a", "label": 1}\n{"text": "b", "label": NaN}\n', ("no label: row 1",)),
    "infinity in JSON": Case("a.jsonl", '{"text": "a", "label": 1}\n{"text": "b", "label": Infinity}\n', ("label",)),
    "a label beyond all numbers": Case("a.csv", GOOD + "huge film,1e999\n", ("label",)),
    "labels by case": Case("a.csv", GOOD.replace("1", "Pos").replace("0", "pos"), ("only in case or blanks", "'Pos'")),
    "labels by blanks": Case("a.csv", "text,label\na,pos\nb,pos \nc,neg\n", ("'pos' and 'pos '",)),
    "labels that are fractions": Case("a.csv", "text,label\na,0.5\nb,1.5\n", ("numbers such as 0.5",)),
    "empty texts": Case("a.csv", GOOD + ",1\n  ,0\n", ("2 rows have no text: rows 4, 5",)),
    "only empty texts": Case("a.csv", "text,label\n,1\n,0\n", ("no row has a value",)),
    "texts that are numbers": Case("a.csv", "text,label\n1,1\n2,0\n", ("must be text; it holds whole numbers",)),
    "a list that is null": Case(
        "a.jsonl",
        lines({"text": "a", "label": ["x"]}, {"text": "b", "label": None}, {"text": "c", "label": ["y"]}),
        ("has no list: row 1",),
        kind="multi_label",
    ),  # fmt: skip
    "a row without any label": Case(
        "a.jsonl",
        lines({"text": "a", "label": ["x"]}, {"text": "b", "label": []}, {"text": "c", "label": ["y", "x", "y"]}),
        rows=3,
        told="1 of 3 rows of train have no label",
        kind="multi_label",
    ),  # fmt: skip
    "columns that hold 2": Case(
        "a.csv",
        "text,a,b\nx,1,0\ny,2,\nz,0,1\n",
        ("'a' must hold 0 or 1", "holds 2: row 1", "nothing: row 1"),
        fields={"columns": {"label": ["a", "b"]}},
        kind="multi_label",
    ),  # fmt: skip
    "decimal commas": Case(
        "a.tsv", "text\tlabel\na\t1,5\nb\t2,0\n", ("'1,5': rows 0, 1", "decimal points"), kind="regression"
    ),
    "infinite numbers": Case("a.csv", "text,label\na,1.5\nb,inf\nc,2\n", ("'inf': row 1",), kind="regression"),
    "numbers beyond all": Case("a.csv", "text,label\na,1.5\nb,1e999\nc,2\n", ("row 1",), kind="regression"),
    "words for numbers": Case("a.csv", "text,label\na,good\nb,bad\n", ("must hold finite numbers",), kind="regression"),
    # Parquet and Arrow
    "half a Parquet file": Case("a.parquet", cut_table, ("a.parquet", "cut short or damaged")),
    "a Parquet file with a changed page": Case("a.parquet", changed_table, ("a.parquet",)),
    "Parquet without rows": Case(
        "a.parquet",
        table(text=pyarrow.array([], "string"), label=pyarrow.array([], "int64")),
        ("a.parquet", "has columns and no rows"),
    ),  # fmt: skip
    "Parquet without columns": Case("a.parquet", table(), ("a.parquet",)),
    "a text of objects": Case("a.parquet", nested_table, ("must be text; it holds object",)),
    "a text of bytes": Case("a.parquet", table(text=[b"a", b"b"], label=[0, 1]), ("must be text; it holds bytes",)),
    "a text of nulls": Case("a.parquet", table(text=pyarrow.nulls(2), label=[0, 1]), ("no row has a value",)),
    "a missing file of an Arrow folder": Case(
        "data",
        saved(lambda folder: (folder / "data-00001-of-00002.arrow").unlink()),
        ("data-00001-of-00002.arrow", "is missing"),
        source="arrow",
    ),  # fmt: skip
    "an Arrow file cut behind a batch": Case(
        "data",
        saved(
            lambda folder: os.truncate(
                folder / "data-00000-of-00002.arrow", (folder / "data-00000-of-00002.arrow").stat().st_size - 8
            )
        ),
        ("data-00000-of-00002.arrow", "is cut short"),
        source="arrow",
    ),  # fmt: skip
    "an Arrow folder that is whole": Case("data", saved(lambda folder: None), rows=4, source="arrow"),
    "an Arrow folder as a file": Case("a.csv", saved(lambda folder: None), ("read it with dataset=arrow",)),
    # images
    "images that are whole": Case("a.csv", pictures(), rows=2, source="image_files"),
    "an image that claims to be vast": Case(
        "a.csv", pictures(bomb=vast_png()), ("bomb.png", "row 2", "decompression bomb"), source="image_files"
    ),  # fmt: skip
    "a JPEG cut short": Case("a.csv", pictures(cut=jpeg()[:-400]), ("cut.png", "row 2"), source="image_files"),
    "a text called PNG": Case(
        "a.csv", pictures(words=b"words"), ("words.png", "no known image format"), source="image_files"
    ),  # fmt: skip
    "an empty image": Case("a.csv", pictures(none=b""), ("none.png", "empty file"), source="image_files"),
    "an image that is not there": Case(
        "a.csv", "image,label\ngone.png,1\ngone.png,0\n", ("row 0", "no gone.png"), source="image_files"
    ),  # fmt: skip
    "paths where images are wanted": Case(
        "a.csv", "image,label\na.png,1\nb.png,0\n", ("must hold images",), fields={"columns": {"image": "image"}}
    ),  # fmt: skip
}


def test_there_are_many():
    assert len(CASES) >= 80


def outcome(dataset: DatasetConfig, roles: dict[str, Column], kind: str, folder: Path) -> tuple[Any, Any]:
    """The prepared data or Tunebook's own error; any other exception fails the test that asks."""
    try:
        return prepare(dataset, task(roles, LABELS[kind]), KEEP, folder), None
    except TunebookError as error:
        return None, error


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_in_words_or_read_whole(name, tmp_path, caplog):
    case = CASES[name]
    if case.content is locked and os.geteuid() == 0:
        pytest.skip("root may read everything")
    path = tmp_path / case.name
    if callable(case.content):
        case.content(path)
    else:
        path.write_bytes(case.content.encode() if isinstance(case.content, str) else case.content)
    roles = IMAGE if case.source == "image_files" or "image" in case.fields.get("columns", {}) else TEXT
    where = {"path": case.name} if case.source == "arrow" else {"train": case.name}
    options = registry.load("source", case.source).Options(**where, **case.options)
    dataset = DatasetConfig(source=case.source, options=options, **case.fields)
    with caplog.at_level(logging.INFO, logger="tunebook"):
        early = {problem.message for problem in preflight.problems(dataset, roles, tmp_path)}
        data, error = outcome(dataset, roles, case.kind, tmp_path)
    if case.refused:
        assert error is not None, f"read, with {data.splits.num_rows}"
        assert [part for part in case.refused if part not in str(error)] == [], error
        assert len(str(error)) < 3000, "as long as the file itself"
        assert early <= {problem.message for problem in error.problems}
    else:
        assert error is None, f"refused: {error}"
        assert data.splits["train"]["row"][:] == list(range(case.rows))
        assert case.told in caplog.text
        assert early == set()


def test_the_command_says_it_too():
    """Exit code 2 and no traceback: before anything slow is imported, and behind that."""
    beside = ["dataset=files", "dataset.train=a.csv", "dataset.split.validation=0.5"]
    cases = [
        {"arguments": beside, "files": {"a.csv": [*gzip.compress(GOOD.encode())]}},
        {"arguments": beside, "files": {}, "links": {"a.csv": "gone.csv"}},
        {"arguments": [*beside, "dataset.format=json"], "files": {"a.csv": "42\n43\n"}},
    ]
    for said, part in zip(typed(cases), ("unpack it", "a link to gone.csv", "is not an object"), strict=True):
        assert (said["code"], said["imported"]) == (2, [])
        assert part in said["output"]
        assert "Traceback" not in said["output"]
