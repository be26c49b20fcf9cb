"""The latest rows are held out, and rows of one moment stay together."""

from __future__ import annotations

import datetime

import pytest
from datasets import Dataset, DatasetDict

from tunebook.config.data_groups import SplitConfig
from tunebook.data.splitting import carve
from tunebook.data.splitting.by_time import moment
from tunebook.errors import DataError

SPLIT = SplitConfig(validation=0.2, test=0.2, method="time")


def carved(times, split=SPLIT):
    return carve(DatasetDict(train=Dataset.from_dict({"row": list(range(len(times))), "time": times})), split)


@pytest.mark.parametrize(
    "times",
    [
        [5, 3, 9, 1, 7, 2, 8, 0, 6, 4],
        [float(at) / 3 for at in [5, 3, 9, 1, 7, 2, 8, 0, 6, 4]],
        [f"2024-0{at + 1}-01" if at < 9 else "2024-10-01" for at in [5, 3, 9, 1, 7, 2, 8, 0, 6, 4]],
        [f"2024-01-01T0{at}:30:00+02:00" for at in [5, 3, 9, 1, 7, 2, 8, 0, 6, 4]],
        [datetime.datetime(2024, 1, 1 + at) for at in [5, 3, 9, 1, 7, 2, 8, 0, 6, 4]],
    ],
)
def test_the_latest_go_to_test_and_those_before_to_validation(times):
    splits = carved(times)
    assert splits["test"]["row"][:] == [2, 6]
    assert splits["validation"]["row"][:] == [4, 8]
    assert splits["train"].num_rows == 6


def test_rows_of_one_moment_stay_together():
    splits = carved([1, 1, 2, 2, 3, 3, 3, 4, 4, 4])
    assert splits["test"]["time"][:] == [4, 4, 4]
    assert splits["validation"]["time"][:] == [3, 3, 3]
    assert splits["train"]["time"][:] == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (["2024-01-01", "soon", None], r"ISO dates \(2024-05-01T10:30\); 'soon' is neither: rows 1, 2"),
        ([1.0, float("nan")], "row 1 "),
        ([3] * 10, "of the same time"),
        ([1, 1, 1, 2], "split.validation   all of the rows left"),
    ],
)
def test_refuses(times, message):
    with pytest.raises(DataError, match=message):
        carved(times)


def test_zones_count():
    assert moment("2024-01-01T12:00:00+02:00") == moment("2024-01-01T10:00:00Z") == moment("2024-01-01 10:00")
    assert moment(datetime.date(2024, 1, 1)) == moment("2024-01-01")
    assert moment(True) is moment([1]) is None
