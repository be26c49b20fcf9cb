"""Files row by row: the same rows as when they are read whole, and the line of what is broken."""

import itertools
import json
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from tunebook.data.reading import delimited
from tunebook.data.streaming.reading import rows_of_delimited, rows_of_json, rows_of_parquet
from tunebook.errors import DataError


def written(tmp_path: Path, name: str, content: str | bytes) -> Path:
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


TRICKY = 'text,label\r\n"a, ""b""",x\r\n\r\nplain,y\r\n,z\r\n  blanks  ,"x"\r\n\u2028inside,x'


def test_delimited_rows_are_those_of_the_whole_file(tmp_path):
    file = written(tmp_path, "a.csv", "\ufeff" + TRICKY)
    layout = delimited.Layout()
    rows = [raw.values for raw in rows_of_delimited(file, layout)]
    whole = delimited.read(file, layout)
    assert rows == [dict(zip(whole, cells, strict=True)) for cells in zip(*whole.values(), strict=True)]
    assert [row["label"] for row in rows] == ["x", "y", "z", "x", "x"]
    assert rows[2]["text"] is None


def test_a_place_is_the_file_and_the_line_on_which_the_row_begins(tmp_path):
    file = written(tmp_path, "a.csv", 'text,label\n"one\ntwo",x\nthree,y\n')
    layout = delimited.Layout(quoting="minimal")
    assert [raw.place for raw in rows_of_delimited(file, layout)] == ["a.csv, line 2", "a.csv, line 4"]


def test_a_row_of_several_lines_must_be_said_to_be_one(tmp_path):
    file = written(tmp_path, "a.csv", 'text,label\nfine,x\n"one\ntwo",x\n')
    with pytest.raises(DataError, match="lines 3 to 4 are one row.*say dataset.quoting=minimal"):
        list(rows_of_delimited(file, delimited.Layout()))


@pytest.mark.parametrize(
    ("line", "said"),
    [("only one", "line 5002 has 1 cell, and there are 2 columns, by comma"), ('"open,x', "line 5002: unexpected end")],
)
def test_a_broken_line_deep_in_a_file_stops_there(tmp_path, line, said):
    file = written(tmp_path, "a.csv", "text,label\n" + "word,x\n" * 5000 + line + "\nword,x\n")
    read = []
    with pytest.raises(DataError, match=said):
        read.extend(rows_of_delimited(file, delimited.Layout()))
    rows = list(itertools.islice(rows_of_delimited(file, delimited.Layout()), 5000))
    assert len(rows) == 5000
    assert rows[-1].place == "a.csv, line 5001"


def test_a_byte_outside_the_encoding_is_found_beyond_every_buffer(tmp_path):
    content = b"text,label\n" + "grün,x\n".encode() * 200_000 + "caf\xe9,x\n".encode("latin-1")
    file = written(tmp_path, "a.csv", content)
    with pytest.raises(DataError, match="line 200002 is not utf-8: byte 0xe9; say dataset.encoding"):
        for _ in rows_of_delimited(file, delimited.Layout()):
            pass


def test_a_nul_character_and_an_empty_file(tmp_path):
    with pytest.raises(DataError, match="line 3 has a NUL"):
        list(rows_of_delimited(written(tmp_path, "a.csv", "text,label\na,x\nb\0,x\n"), delimited.Layout()))
    with pytest.raises(DataError, match="is empty"):
        list(rows_of_json(written(tmp_path, "a.jsonl", "\n \n"), "auto"))
    with pytest.raises(DataError, match="is empty"):
        list(rows_of_delimited(written(tmp_path, "b.csv", ""), delimited.Layout()))


def test_json_lines_keep_every_separator_but_the_newline(tmp_path):
    rows = [{"text": "a\u2028b", "label": 1}, {"text": "c"}]
    content = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n\n"
    found = list(rows_of_json(written(tmp_path, "a.jsonl", content), "auto"))
    assert [raw.values for raw in found] == rows
    assert found[1].place == "a.jsonl, line 2"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": 1}\n{"a": \n', "line 2 is not JSON"),
        ('{"a": 1}\n[1]\n', "line 2 is not an object$"),
        ('[{"a": 1},\n{"a": 2}]', "line 1 is not JSON.*streaming takes JSON Lines"),
        ('[{"a": 1}]', "line 1 is not an object; streaming takes JSON Lines"),
    ],
)
def test_what_is_not_json_lines(tmp_path, content, said):
    with pytest.raises(DataError, match=said):
        list(rows_of_json(written(tmp_path, "a.jsonl", content), "auto"))


def test_parquet_over_several_row_groups_and_only_the_columns_asked_for(tmp_path):
    table = pyarrow.table({"text": [f"t{at}" for at in range(2500)], "label": [0] * 2500, "big": ["x"] * 2500})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=700)
    found = list(rows_of_parquet(tmp_path / "a.parquet", ["text", "label"]))
    assert [raw.values["text"] for raw in found] == [f"t{at}" for at in range(2500)]
    assert found[1234] == ({"text": "t1234", "label": 0}, "a.parquet, row 1234")


def test_a_parquet_file_that_is_cut_short(tmp_path):
    parquet.write_table(pyarrow.table({"text": ["a"] * 100}), tmp_path / "a.parquet")
    content = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(content[:-20])
    with pytest.raises(DataError, match="is not a whole Parquet file"):
        list(rows_of_parquet(tmp_path / "a.parquet", ["text"]))
