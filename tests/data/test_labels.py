"""Labels of every kind become ids and names, or are refused with the reason."""

from __future__ import annotations

import pytest
from datasets import ClassLabel, Dataset, DatasetDict

from tunebook.data.labels import encode
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
    encoded, found = encode(splits(train=values), "label", stated, KEY)
    assert found == names
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
    encoded, found = encode(given, "label", stated, KEY)
    assert (found, encoded["train"]["label"][:]) == (names, ids)


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
        ({"train": ["a", "a ", "b"]}, None, ["differ only in blanks: 'a '"]),
        ({"train": [f"l{i}" for i in range(1001)]}, None, ["1001 different labels"]),
        ({"train": list(range(1001))}, None, ["1001 different labels"]),
        ({"train": [[1], [2]]}, None, ["holds values of type list; a label is text or a whole number"]),
    ],
)
def test_refuses(columns, stated, parts):
    with pytest.raises(DataError) as caught:
        encode(splits(**columns), "label", stated, KEY)
    for part in parts:
        assert part in str(caught.value)


def test_other_names_in_each_split():
    given = DatasetDict(
        train=splits(x=[0, 1])["x"].cast_column("label", ClassLabel(names=["a", "b"])),
        test=splits(x=[0, 1])["x"].cast_column("label", ClassLabel(names=["b", "a"])),
    )
    with pytest.raises(DataError, match="train: a, b; test: b, a"):
        encode(given, "label", None, KEY)
