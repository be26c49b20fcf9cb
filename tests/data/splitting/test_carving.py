"""Shares are carved class by class, by a seed, and never quietly wrong."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from sklearn.model_selection import train_test_split

from tunebook.config.data_groups import SplitConfig
from tunebook.data.labels.base import LabelColumn
from tunebook.data.labels.single_label import SingleLabel
from tunebook.data.splitting import carve
from tunebook.errors import DataError

LABEL = LabelColumn(SingleLabel(), "label", ("a", "b", "c"))
FEATURES = Features({"row": Value("int64"), "label": ClassLabel(names=["a", "b", "c"])})


def made(labels):
    return Dataset.from_dict({"row": list(range(len(labels))), "label": labels}, features=FEATURES)


LABELS = [0] * 61 + [1] * 29 + [2] * 10


def test_carves_by_class():
    splits = carve(DatasetDict(train=made(LABELS)), SplitConfig(validation=0.15, test=0.2), LABEL)
    assert splits.num_rows == {"train": 65, "validation": 15, "test": 20}
    for split in splits.values():
        for name, count in Counter(LABELS).items():
            assert abs(split["label"][:].count(name) - count * len(split) / 100) <= 1
    rows = [row for split in splits.values() for row in split["row"]]
    assert sorted(rows) == list(range(100))
    assert all(split["row"][:] == sorted(split["row"]) for split in splits.values())


def test_the_seed_decides():
    def drawn(seed):
        return carve(DatasetDict(train=made(LABELS)), SplitConfig(validation=0.2, seed=seed), LABEL)["validation"][
            "row"
        ][:]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_rows_are_rounded_up():
    splits = carve(DatasetDict(train=made([0, 1] * 5)), SplitConfig(validation=0.21, test=0.3), None)
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
        carve(DatasetDict(train=made(labels), **given), SplitConfig(**shares, seed=0), LABEL)


def test_nothing_is_carved_without_a_share():
    splits = carve(DatasetDict(train=made([0, 2])), SplitConfig(), LABEL)
    assert splits.num_rows == {"train": 2}


def test_the_rows_of_earlier_versions():
    """Published figures stand on these rows: the same seed must draw them for good."""
    splits = carve(DatasetDict(train=made(LABELS)), SplitConfig(validation=0.1, test=0.1, seed=42), LABEL)
    left = np.arange(100)
    left, test = train_test_split(left, test_size=10, random_state=42, stratify=np.array(LABELS))
    _, validation = train_test_split(left, test_size=10, random_state=42, stratify=np.array(LABELS)[left])
    assert splits["test"]["row"][:] == sorted(test)
    assert splits["validation"]["row"][:] == sorted(validation)


def folds(config, count=100, extra=None):
    given = made(LABELS)
    for name, values in (extra or {}).items():
        given = given.add_column(name, values)
    return [carve(DatasetDict(train=given), SplitConfig(k_fold=5, fold=fold, **config), LABEL) for fold in range(5)]


@pytest.mark.parametrize("method", ["stratified", "random", "grouped"])
def test_every_row_is_in_one_fold(method):
    made_folds = folds({"method": method, "test": 0.2}, extra={"group": [at % 37 for at in range(100)]})
    tests = [splits["test"]["row"][:] for splits in made_folds]
    assert all(rows == tests[0] for rows in tests)
    held = [row for splits in made_folds for row in splits["validation"]["row"]]
    assert len(held) == len(set(held))
    assert sorted([*held, *tests[0]]) == list(range(100))
    for splits in made_folds:
        assert sorted([*splits["train"]["row"], *splits["validation"]["row"], *tests[0]]) == list(range(100))


def test_folds_hold_each_class_by_its_share():
    for splits in folds({}):
        held = splits["validation"]["label"][:]
        assert len(held) == 20
        assert [abs(held.count(name) - LABELS.count(name) / 5) < 1 for name in range(3)] == [True] * 3


@pytest.mark.parametrize(
    ("config", "columns", "label", "message"),
    [
        ({"k_fold": 5, "fold": 5}, {}, LABEL, r"split.fold=5   there are 5 folds, counted from 0: 0 to 4"),
        ({"k_fold": 50}, {}, LABEL, "is 50, but there are only 27 rows"),
        ({"validation": 0.2, "method": "grouped"}, {}, LABEL, "give dataset.columns.group"),
        ({"validation": 0.2, "method": "time"}, {}, LABEL, "give dataset.columns.time"),
        ({"validation": 0.2, "method": "stratified"}, {}, None, "needs classes, and this task has no labels"),
        ({"k_fold": 3, "method": "time"}, {"time": [1] * 27}, LABEL, "cannot go with k_fold"),
        ({"k_fold": 9}, {"group": [1, 2, 3] * 9}, LABEL, "is 9, but there is only 3 groups"),
        ({"validation": 0.99, "method": "random"}, {}, LABEL, "leaves no rows for train"),
    ],
)
def test_refuses_methods(config, columns, label, message):
    given = made([0, 1, 2] * 9)
    for name, values in columns.items():
        given = given.add_column(name, values)
    with pytest.raises(DataError, match=message):
        carve(DatasetDict(train=given), SplitConfig(**config), label)


def test_auto_follows_the_columns():
    config = SplitConfig(validation=0.3)
    given = made([0, 1] * 10)
    timed = carve(DatasetDict(train=given.add_column("time", list(range(20)))), config, LABEL)
    assert timed["validation"]["row"][:] == list(range(14, 20))
    grouped = carve(DatasetDict(train=given.add_column("group", [at // 5 for at in range(20)])), config, LABEL)
    assert {row // 5 for row in grouped["validation"]["row"]} & {row // 5 for row in grouped["train"]["row"]} == set()


def test_as_many_folds_as_rows():
    given = DatasetDict(train=made([0, 1, 2] * 4))
    held = [carve(given, SplitConfig(k_fold=12, fold=fold), LABEL)["validation"]["row"][:] for fold in range(12)]
    assert sorted(held) == [[row] for row in range(12)]
