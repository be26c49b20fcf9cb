"""One label a row becomes an id with a name, or is refused with the reason."""

from __future__ import annotations

import pytest
from datasets import ClassLabel, Dataset, DatasetDict

from tunebook.data.labels.single_label import SingleLabel
from tunebook.errors import DataError

KEY = "dataset.columns.label='label'"


def splits(**columns):
    return DatasetDict(
        {
            name: Dataset.from_dict({"row": list(range(len(values))), "label": values})
            for name, values in columns.items()
        }
    )


@pytest.mark.parametrize(
    ("values", "stated", "names", "ids"),
    [
        (["b", "a", "b"], None, ["a", "b"], [1, 0, 1]),
        (["b", "a", "b"], ["b", "a"], ["b", "a"], [0, 1, 0]),
        ([2, 0, 1], None, ["0", "1", "2"], [2, 0, 1]),
        (list(range(10, -1, -1)), None, [str(i) for i in range(11)], list(range(10, -1, -1))),
        ([1, 5, 3], None, ["1", "3", "5"], [0, 2, 1]),
        ([-1, 1], None, ["-1", "1"], [0, 1]),
        ([1.0, 2.0, 1.0], None, ["1", "2"], [0, 1, 0]),
        ([0, 1, 1], ["no", "yes"], ["no", "yes"], [0, 1, 1]),
        ([0.0, 1.0], ["no", "yes"], ["no", "yes"], [0, 1]),
        ([1, 2, 3], ["3", "2", "1"], ["3", "2", "1"], [2, 1, 0]),
        ([True, False], None, ["False", "True"], [1, 0]),
        ([True, False], ["no", "yes"], ["no", "yes"], [1, 0]),
        (["NA", "None"], None, ["NA", "None"], [0, 1]),
    ],
)
def test_encodes(values, stated, names, ids):
    encoded, found = SingleLabel().encode(splits(train=values), "label", stated, KEY)
    assert list(found.names) == names
    assert encoded["train"]["label"][:] == ids
    assert encoded["train"].features["label"].names == names


@pytest.mark.parametrize(
    ("stated", "names", "ids"),
    [
        (None, ["neg", "pos"], [1, 0]),
        (["pos", "neg"], ["pos", "neg"], [0, 1]),
        (["bad", "good"], ["bad", "good"], [1, 0]),
    ],
)
def test_names_that_the_column_carries(stated, names, ids):
    given = splits(train=[1, 0]).cast_column("label", ClassLabel(names=["neg", "pos"]))
    encoded, found = SingleLabel().encode(given, "label", stated, KEY)
    assert (list(found.names), encoded["train"]["label"][:]) == (names, ids)


@pytest.mark.parametrize(
    ("columns", "stated", "parts"),
    [
        ({"train": [0.5, 1.0]}, None, ["0.5", "classification needs classes"]),
        ({"train": ["a", "b"], "test": ["c"]}, ["a", "b"], ["'c'", "allowed: a, b"]),
        ({"train": ["positve", "negative"]}, ["positive", "negative"], ["'positve'", "did you mean positive?"]),
        ({"train": ["a", "b"]}, ["a", "b", "c"], ["dataset.labels", "states 3: a, b, c; the data has 2: a, b"]),
        ({"train": [0, 1]}, ["a", "b", "c"], ["states 3: a, b, c; the data has 2: a, b"]),
        ({"train": [1, 2]}, ["a", "b"], ["2", "dataset.labels names 2, for 0 to 1: a, b"]),
        ({"train": [0, 1], "test": ["a"]}, None, ["one kind of labels", "whole number in train, text in test"]),
        ({"train": ["a", "a ", "b"]}, None, ["differ only in case or blanks: 'a' and 'a '"]),
        ({"train": [f"l{i}" for i in range(1001)]}, None, ["1001 different labels"]),
        ({"train": list(range(1001))}, None, ["1001 different labels"]),
        ({"train": ["Pos", "neg", "pos"]}, None, ["case or blanks: 'Pos' and 'pos'", "dataset.labels={'Pos': Pos,"]),
        ({"train": ["Pos", "neg", "pos"]}, ["neg", "pos"], ["'Pos'"]),
        ({"train": [f"2024-01-{i:02}" for i in range(1, 29)]}, None, ["28 different labels in 28 training rows"]),
        ({"train": [{"a": 1}, {"a": 0}]}, None, ["a multi-label task"]),
        ({"train": [[1], [2]]}, None, ["holds values of type list; a label is text or a whole number"]),
    ],
)
def test_refuses(columns, stated, parts):
    with pytest.raises(DataError) as caught:
        SingleLabel().encode(splits(**columns), "label", stated, KEY)
    for part in parts:
        assert part in str(caught.value)


def test_other_names_in_each_split():
    given = DatasetDict(
        train=splits(x=[0, 1])["x"].cast_column("label", ClassLabel(names=["a", "b"])),
        test=splits(x=[0, 1])["x"].cast_column("label", ClassLabel(names=["b", "a"])),
    )
    with pytest.raises(DataError, match="train: a, b; test: b, a"):
        SingleLabel().encode(given, "label", None, KEY)


@pytest.mark.parametrize(
    ("values", "stated", "names", "ids"),
    [
        (["pos", "neg", "pos"], {"pos": 1, "neg": 0}, ["neg", "pos"], [1, 0, 1]),
        ([1, 5, 2, 5], {"1": "bad", "2": "bad", "5": "good"}, ["bad", "good"], [0, 1, 0, 1]),
        ([5, 1], {"5": "good", "1": "bad"}, ["good", "bad"], [0, 1]),
        ([1.0, 2.0], {"1": 1, "2": 0}, ["2", "1"], [1, 0]),
        ([0.5, 1.0], {"0.5": "half", "1": "whole"}, ["half", "whole"], [0, 1]),
        ([True, False], {"true": "yes", "false": "no"}, ["yes", "no"], [0, 1]),
        ([True, False], {"False": 0, "True": 1}, ["False", "True"], [1, 0]),
        (["Pos", "pos ", "neg"], {"Pos": "pos", "pos ": "pos", "neg": "neg"}, ["pos", "neg"], [0, 0, 1]),
        (["a", "b"], {"a": "x", "b": "y", "unused": "y"}, ["x", "y"], [0, 1]),
    ],
)
def test_mapped_labels(values, stated, names, ids):
    encoded, found = SingleLabel().encode(splits(train=values), "label", stated, KEY)
    assert (list(found.names), encoded["train"]["label"][:]) == (names, ids)
    assert encoded["train"].features["label"].names == names


@pytest.mark.parametrize(
    ("stated", "names", "ids"),
    [
        ({"pos": 0, "neg": 1}, ["pos", "neg"], [0, 1]),
        ({"0": "bad", "1": "good"}, ["bad", "good"], [1, 0]),
    ],
)
def test_mapped_names_that_the_column_carries(stated, names, ids):
    given = splits(train=[1, 0]).cast_column("label", ClassLabel(names=["neg", "pos"]))
    encoded, found = SingleLabel().encode(given, "label", stated, KEY)
    assert (list(found.names), encoded["train"]["label"][:]) == (names, ids)


@pytest.mark.parametrize(
    ("values", "stated", "parts"),
    [
        (["pos", "neg"], {"pos": 1, "neq": 0}, ["does not map: 'neg'", "did you mean neq?"]),
        ([1, 2], {"1": 1, "2": 1}, ["one id to 1 and 2", "{1: NAME, 2: NAME, …}"]),
        ([1, 2], {"1": 1, "2": 3}, ["must map to the ids 0 to 1, each once; not 1, 3"]),
        ([1, 2], {"1": 1, "2": "b"}, ["maps to ids and to names"]),
        ([1, 2], {"1": "b", "2": "b"}, ["everything to 'b'"]),
        (["a", "b"], {"a": "x", "b": "x", "c": "y"}, ["states 2: x, y; the data has 1: x"]),
        ([0.5, 1.0], {"0": "x", "1": "y"}, ["does not map: '0.5'"]),
    ],
)
def test_mappings_that_are_refused(values, stated, parts):
    with pytest.raises(DataError) as caught:
        SingleLabel().encode(splits(train=values), "label", stated, KEY)
    for part in parts:
        assert part in str(caught.value)


def test_a_separator_is_for_several_labels():
    with pytest.raises(DataError, match="this task gives each row one"):
        SingleLabel().encode(splits(train=["a", "b"]), "label", None, KEY, ",")


def test_an_id_that_has_no_name():
    given = splits(train=[0, 1]).cast_column("label", ClassLabel(names=["a", "b"]))
    given["train"] = given["train"].map(lambda row: {"label": row["label"]})
    table = given["train"].data.table
    index = table.column_names.index("label")
    broken = Dataset(table.set_column(index, table.schema.field(index), [[0, 7]]))
    with pytest.raises(DataError, match="holds 7, which is no id of its 2 names: 'a', 'b'"):
        SingleLabel().encode(DatasetDict(train=broken), "label", None, KEY)
