"""Numbers as labels: what becomes float64, and what is no number."""

from __future__ import annotations

from decimal import Decimal

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Value

from tunebook.data.labels.regression import Regression
from tunebook.errors import DataError

KEY = "dataset.columns.label='label'"


def splits(**columns):
    return DatasetDict(
        {
            name: Dataset.from_dict({"row": [10 + row for row in range(len(values))], "label": values})
            for name, values in columns.items()
        }
    )


def refusal(given, stated=None) -> str:
    with pytest.raises(DataError) as caught:
        Regression().encode(given, "label", stated, KEY)
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 5], [1.0, 2.0, 5.0]),
        ([0.5, -1e3], [0.5, -1000.0]),
        ([" 3.5", "4"], [3.5, 4.0]),
        ([Decimal("1.25"), Decimal("2")], [1.25, 2.0]),
    ],
)
def test_encodes(values, expected):
    found, targets = Regression().encode(splits(train=values, test=values), "label", None, KEY)
    assert (targets.names, found["train"]["label"][:], found["test"]["label"][:]) == ((), expected, expected)
    assert found["train"].features["label"] == Value("float64")


@pytest.mark.parametrize(
    ("values", "stated", "parts"),
    [
        (["1,5", "2.0", "3,25"], None, ["train holds '1,5': rows 10, 12", "write decimal points instead of commas"]),
        ([True, False], None, ["holds True", "true and false are classes"]),
        ([1.0, float("inf")], None, ["finite numbers; train holds inf: row 11"]),
        (["good", "bad"], None, ["holds 'good': rows 10, 11"]),
        (["1_000", "2"], None, ["holds '1_000': row 10"]),
        ([[1.0], [2.0]], None, ["holds [1.0]"]),
        ([1.0, 2.0], ["a", "b"], ["dataset.labels", "take it out"]),
        ([3.0, 3.0], None, ["is 3 in every training row"]),
    ],
)
def test_refuses(values, stated, parts):
    message = refusal(splits(train=values), stated)
    for part in parts:
        assert part in message


def test_classes_are_no_numbers():
    given = splits(train=[0, 1]).cast_column("label", ClassLabel(names=["a", "b"]))
    assert "holds classes (a, b), not numbers" in refusal(given)


def test_every_split_is_told_of():
    message = refusal(splits(train=["a", "1"], test=["2", "b", "c"]))
    assert message.startswith("2 problems")
    assert "test holds 'b': rows 11, 12" in message
