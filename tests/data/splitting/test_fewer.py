"""Fewer rows keep each class's share; few-shot rows are exactly so many of each class."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from tunebook.data.labels.base import LabelColumn
from tunebook.data.labels.multi_label import MultiLabel
from tunebook.data.labels.regression import Regression
from tunebook.data.labels.single_label import SingleLabel
from tunebook.data.splitting import few_shot, limit
from tunebook.errors import DataError

LABELS = [0] * 61 + [1] * 29 + [2] * 10
NAMES = ["a", "b", "c"]
LABEL = LabelColumn(SingleLabel(), "label", NAMES)
FEATURES = Features({"row": Value("int64"), "label": ClassLabel(names=NAMES)})


def made(labels=LABELS, features=FEATURES):
    return Dataset.from_dict({"row": list(range(len(labels))), "label": labels}, features=features)


@pytest.mark.parametrize("count", [1, 7, 30, 99])
def test_limit_keeps_the_shares(count):
    drawn = limit({"train": made()}, {"train": count}, 7, LABEL)["train"]
    counts = Counter(drawn["label"])
    assert sum(counts.values()) == count
    assert all(abs(counts[index] - LABELS.count(index) * count / 100) < 1 for index in range(3))


def test_limit_draws_by_the_seed_in_order():
    splits = DatasetDict(train=made(), test=made())
    first = limit(splits, {"train": 30, "test": 500}, 7, LABEL)
    assert first.num_rows == {"train": 30, "test": 100}
    rows = first["train"]["row"][:]
    assert rows == sorted(rows) != list(range(30))
    assert limit(splits, {"train": 30}, 7, LABEL)["train"]["row"][:] == rows
    assert limit(splits, {"train": 30}, 8, LABEL)["train"]["row"][:] != rows


def test_limit_without_classes():
    assert limit({"train": made()}, {"train": 30}, 7)["train"].num_rows == 30


def test_limit_of_several_labels():
    rng = np.random.default_rng(0)
    labels = (rng.random((400, 4)) < [0.5, 0.3, 0.1, 0.04]).astype(np.int8)
    data = Dataset.from_dict({"row": list(range(400)), "label": labels.tolist()})
    drawn = limit({"train": data}, {"train": 100}, 1, LabelColumn(MultiLabel(), "label"))["train"]
    assert drawn.num_rows == 100
    assert (np.abs(np.sum(drawn["label"][:], axis=0) - labels.sum(axis=0) / 4) <= 1.5).all()


def test_few_shot():
    few = few_shot(made(), 8, 3, LABEL)
    assert Counter(few["label"]) == {0: 8, 1: 8, 2: 8}
    assert few["row"][:] == sorted(few["row"])
    assert few_shot(made(), 8, 3, LABEL)["row"][:] == few["row"][:]
    assert few_shot(made(), 8, 4, LABEL)["row"][:] != few["row"][:]


def test_few_shot_names_the_classes_that_are_too_small():
    with pytest.raises(DataError, match=r"per_class=11   needs 11 training rows of each class; 'c' has 10$"):
        few_shot(made(), 11, 3, LABEL)
    with pytest.raises(DataError, match="this task's labels are numbers"):
        few_shot(made(), 2, 3, LabelColumn(Regression(), "label"))


def test_few_shot_of_several_labels():
    labels = [[1, 1, 0]] * 5 + [[1, 0, 0]] * 20 + [[0, 0, 1]] * 6 + [[0, 0, 0]] * 9
    data = Dataset.from_dict({"row": list(range(40)), "label": labels})
    few = few_shot(data, 5, 1, LabelColumn(MultiLabel(), "label", NAMES))
    assert np.sum(few["label"][:], axis=0).tolist() == [5, 5, 5]
    assert few.num_rows == 10
