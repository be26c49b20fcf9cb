"""Shares are carved class by class, by a seed, and never quietly wrong."""

from __future__ import annotations

from collections import Counter

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from tunebook.data.splitting import carve, limit
from tunebook.errors import DataError

FEATURES = Features({"row": Value("int64"), "label": ClassLabel(names=["a", "b", "c"])})


def made(labels):
    return Dataset.from_dict({"row": list(range(len(labels))), "label": labels}, features=FEATURES)


LABELS = [0] * 61 + [1] * 29 + [2] * 10


def test_carves_by_class():
    splits = carve(DatasetDict(train=made(LABELS)), {"validation": 0.15, "test": 0.2}, 42, "label")
    assert splits.num_rows == {"train": 65, "validation": 15, "test": 20}
    for split in splits.values():
        for name, count in Counter(LABELS).items():
            assert abs(split["label"][:].count(name) - count * len(split) / 100) <= 1
    rows = [row for split in splits.values() for row in split["row"]]
    assert sorted(rows) == list(range(100))
    assert all(split["row"][:] == sorted(split["row"]) for split in splits.values())


def test_the_seed_decides():
    def drawn(seed):
        return carve(DatasetDict(train=made(LABELS)), {"validation": 0.2, "test": None}, seed, "label")["validation"][
            "row"
        ][:]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_rows_are_rounded_up():
    splits = carve(DatasetDict(train=made([0, 1] * 5)), {"validation": 0.21, "test": 0.3}, 0, None)
    assert splits.num_rows == {"train": 4, "validation": 3, "test": 3}


@pytest.mark.parametrize(
    ("given", "labels", "shares", "message"),
    [
        ({"test": made([0])}, [0, 1] * 9, {"validation": 0.2, "test": 0.2}, "is in the source already"),
        ({}, [0, 1] * 9 + [2], {"validation": 0.2, "test": None}, r"each class needs 2 rows or more.*'c' \(1\)"),
        ({}, [0, 1] * 9 + [2] * 2, {"validation": 0.2, "test": 0.2}, r"each class needs 3 rows or more.*'c' \(2\)"),
        ({}, [0, 1, 2] * 9, {"validation": 0.01, "test": None}, "cannot be split off class by class"),
    ],
)
def test_refuses(given, labels, shares, message):
    with pytest.raises(DataError, match=message):
        carve(DatasetDict(train=made(labels), **given), shares, 0, "label")


def test_nothing_is_carved_without_a_share():
    splits = carve(DatasetDict(train=made([0, 2])), {"validation": None, "test": None}, 0, "label")
    assert splits.num_rows == {"train": 2}


def test_limit_draws_by_the_seed_in_order():
    splits = DatasetDict(train=made(LABELS), test=made(LABELS))
    first = limit(splits, {"train": 30, "test": 500}, 7)
    assert first.num_rows == {"train": 30, "test": 100}
    rows = first["train"]["row"][:]
    assert rows == sorted(rows) != list(range(30))
    assert limit(splits, {"train": 30}, 7)["train"]["row"][:] == rows
    assert limit(splits, {"train": 30}, 8)["train"]["row"][:] != rows
