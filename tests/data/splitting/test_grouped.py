"""No group stands in two splits, and the shares are as near as groups allow."""

from __future__ import annotations

import random

import pytest
from datasets import Dataset, DatasetDict

from tunebook.config.data_groups import SplitConfig
from tunebook.data.splitting import carve
from tunebook.errors import DataError


def train(groups):
    return DatasetDict(train=Dataset.from_dict({"row": list(range(len(groups))), "group": groups}))


@pytest.mark.parametrize("seed", range(5))
def test_groups_never_straddle(seed):
    rng = random.Random(seed)
    groups = [f"author {rng.randrange(60)}" for _ in range(500)]
    splits = carve(train(groups), SplitConfig(validation=0.15, test=0.2, seed=seed))
    there = [set(split["group"]) for split in splits.values()]
    assert not there[0] & there[1] | there[0] & there[2] | there[1] & there[2]
    assert abs(splits["test"].num_rows - 100) <= 2
    assert abs(splits["validation"].num_rows - 75) <= 2
    assert sum(splits.num_rows.values()) == 500


def test_large_groups_come_as_near_as_they_can():
    assert carve(train([1] * 50 + [2] * 30 + [3] * 20), SplitConfig(test=0.3))["test"].num_rows in {20, 30}
    assert carve(train([1] * 60 + [2] * 40), SplitConfig(test=0.1))["test"].num_rows == 40


def test_refuses_one_group_and_rows_without_any():
    with pytest.raises(DataError, match=r"split.test   1 group of rows cannot be divided"):
        carve(train([7] * 10), SplitConfig(test=0.3))
    with pytest.raises(DataError, match=r"every row needs a group; there is none in rows 1, 2 \(counted"):
        carve(train(["a", None, "", "b"]), SplitConfig(test=0.3))
