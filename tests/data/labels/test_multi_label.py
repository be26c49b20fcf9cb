"""Any number of labels a row, in lists, in one text or in columns, become a 0 or 1 for each name."""

from __future__ import annotations

import logging

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, List, Value

from tunebook.data.labels.multi_label import MultiLabel
from tunebook.errors import DataError

KEY = "dataset.columns.label='label'"


def splits(feature=None, **columns):
    return DatasetDict(
        {
            name: Dataset.from_dict({"row": list(range(len(values))), "label": values}).cast_column("label", feature)
            if feature
            else Dataset.from_dict({"row": list(range(len(values))), "label": values})
            for name, values in columns.items()
        }
    )


def encoded(given, stated=None, separator=None):
    found, targets = MultiLabel().encode(given, "label", stated, KEY, separator)
    assert found["train"].features["label"] == List(Value("int8"))
    return list(targets.names), found["train"]["label"][:]


def refusal(given, stated=None, separator=None) -> str:
    with pytest.raises(DataError) as caught:
        MultiLabel().encode(given, "label", stated, KEY, separator)
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "stated", "separator", "names", "rows"),
    [
        ([["b"], ["a", "b"], []], None, None, ["a", "b"], [[0, 1], [1, 1], [0, 0]]),
        ([["b"], ["a", "b", "b"]], ["b", "a"], None, ["b", "a"], [[1, 0], [1, 1]]),
        ([[2], [0, 2], [1]], ["x", "y", "z"], None, ["x", "y", "z"], [[0, 0, 1], [1, 0, 1], [0, 1, 0]]),
        ([[5], [3, 5]], None, None, ["3", "5"], [[0, 1], [1, 1]]),
        (["b", "a|b", ""], None, "|", ["a", "b"], [[0, 1], [1, 1], [0, 0]]),
        (["a; b;a", None, "b"], None, ";", ["a", "b"], [[1, 1], [0, 0], [0, 1]]),
        (["2", "0,10", "1"], [f"n{i}" for i in range(11)], ",", None, None),
        (["10", "9,10"], None, ",", ["9", "10"], [[0, 1], [1, 1]]),
        ([2, 0], ["x", "y", "z"], ",", None, None),
        ([1, 0], ["x", "y"], ",", ["x", "y"], [[0, 1], [1, 0]]),
        ([["p"], ["q", "p"]], {"p": 1, "q": 0}, None, ["q", "p"], [[0, 1], [1, 1]]),
        ([["p", "r"], ["q"]], {"p": "good", "q": "bad", "r": "good"}, None, ["good", "bad"], [[1, 0], [0, 1]]),
        ([[0, 1, 1], [0, 0, 0], [1, 0, 0]], ["x", "y", "z"], None, ["x", "y", "z"], [[0, 1, 1], [0, 0, 0], [1, 0, 0]]),
        ([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]], None, None, ["0", "1", "2"], [[0, 1, 1], [1, 0, 0]]),
        ([[0, 1], [1, 0], [0, 1]], ["x", "y"], None, ["x", "y"], [[0, 1], [1, 0], [0, 1]]),  # one of two, never both
    ],
)
def test_encodes(values, stated, separator, names, rows):
    if names is None:
        assert "the data has" in refusal(splits(train=values), stated, separator)
        return
    assert encoded(splits(train=values), stated, separator) == (names, rows)


def test_columns_of_0_and_1():
    rows = [{"toxic": 1, "rude": False}, {"toxic": 0, "rude": True}, {"toxic": 0, "rude": False}]
    assert encoded(splits(train=rows)) == (["toxic", "rude"], [[1, 0], [0, 1], [0, 0]])
    assert encoded(splits(train=rows), ["rude", "toxic"]) == (["rude", "toxic"], [[0, 1], [1, 0], [0, 0]])
    assert encoded(splits(train=rows), ["giftig", "grob"]) == (["giftig", "grob"], [[1, 0], [0, 1], [0, 0]])
    both = {"toxic": "bad", "rude": "bad"} | {"unused": "good"}
    assert "everything" not in refusal(splits(train=[*rows]), ["a", "b", "c"])
    assert encoded(splits(train=rows), both) == (["bad", "good"], [[1, 0], [1, 0], [0, 0]])


@pytest.mark.parametrize("marks", [("1", "0"), ("true", "False"), (1.0, 0.0), (True, False)])
def test_columns_as_they_are_written(marks):
    yes, no = marks
    assert encoded(splits(train=[{"a": yes, "b": no}, {"a": no, "b": yes}]))[1] == [[1, 0], [0, 1]]


def test_names_that_the_lists_carry():
    feature = List(ClassLabel(names=["x", "y"]))
    assert encoded(splits(feature, train=[[1], [], [0, 1]])) == (["x", "y"], [[0, 1], [0, 0], [1, 1]])
    renamed = encoded(splits(feature, train=[[1], [], [0, 1]]), ["y", "x"])
    assert renamed == (["y", "x"], [[1, 0], [0, 0], [1, 1]])


def test_a_label_of_a_later_split_has_its_id_too():
    found, targets = MultiLabel().encode(splits(train=[["a"], ["b"]], test=[["c"], []]), "label", None, KEY)
    assert list(targets.names) == ["a", "b", "c"]
    assert found["test"]["label"][:] == [[0, 0, 1], [0, 0, 0]]
    assert found["train"].column_names == ["row", "label"]


@pytest.mark.parametrize(
    ("values", "stated", "separator", "parts"),
    [
        ([["a"], None], None, None, ["has no list: row 1 (counted from 0)", "[]"]),
        ([["a"], ["b", None]], None, None, ["null inside a list: row 1"]),
        (["a,b", "c"], None, None, ["dataset.label_separator", "','"]),
        ([0, 1, 0], None, None, ["dataset.columns.label='label'", "as in 'dataset.columns.label=[label, …]'"]),
        ([0, 2], None, None, ["dataset.label_separator"]),
        ([["a"], ["b"]], None, ",", ["the labels are lists: take it out"]),
        ([["a"], ["c"]], ["a", "b"], None, ["does not name: 'c'"]),
        (["a,Pos", "pos"], None, ",", ["case or blanks: 'Pos' and 'pos'"]),
        ([["a"], ["b"]], ["a", "b", "c"], None, ["states 3: a, b, c; the data has 2: a, b"]),
        (
            [{"a": 1, "b": 2}, {"a": None, "b": 0}],
            None,
            None,
            ["'a' must hold 0 or 1", "nothing: row 1", "holds 2: row 0"],
        ),
        ([[], []], None, None, ["gives no row any label"]),
        (["", " "], None, ",", ["gives no row any label"]),
        ([[{"x": 1}], [{"x": 2}]], None, None, ["of type object"]),
        ([[0.5], [1.0]], None, None, ["holds numbers such as 0.5"]),
        ([[0, 1, 1], [0, 0, 0]], {"a": 0, "b": 1}, None, ["hold a 0 or 1 for each of them"]),
    ],
)
def test_refuses(values, stated, separator, parts):
    message = refusal(splits(train=values), stated, separator)
    for part in parts:
        assert part in message


def test_rows_without_a_label_are_counted(caplog):
    with caplog.at_level(logging.INFO, logger="tunebook"):
        encoded(splits(train=[{"a": 0, "b": 0, "c": 0}, {"a": 1, "b": 1, "c": 0}]))
    assert "1 of 2 rows of train have no label at all" in caplog.text
    assert "no row has 1 in c; it cannot be learned" in caplog.text


def test_goemotions_as_it_is_published(real, tmp_path):
    from tunebook.data.sources import files
    from tunebook.data.sources.base import LoadContext

    folder = real / "goemotions"
    options = files.Options(
        train=str(folder / "train.tsv"), column_names=["text", "label", "id"], quoting="none", encoding="utf-8"
    )
    context = LoadContext(roles={"text": "text", "label": "label"}, required=("text", "label"), cwd=tmp_path)
    given = files.load(options, context)
    names = (folder / "labels.txt").read_text(encoding="utf-8").split()
    found, targets = MultiLabel().encode(given, "label", names, KEY, ",")
    lines = (folder / "train.tsv").read_text(encoding="utf-8").split("\n")
    ids = [{int(part) for part in line.split("\t")[1].split(",")} for line in lines if line]
    assert list(targets.names) == names
    assert [{i for i, value in enumerate(row) if value} for row in found["train"]["label"]] == ids
