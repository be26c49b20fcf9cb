"""Rows that stand in two splits are taken from the earlier one, and test is never touched."""

from __future__ import annotations

import pytest

from tunebook.config.data_groups import CleaningConfig
from tunebook.data.cleaning import leaks
from tunebook.data.cleaning.contents import Contents
from tunebook.data.cleaning.findings import Record

LONG = "the film was long and rather dull but its music made up for much of it"
TRAIN = [("a", 0), ("b", 1), (LONG, 1), ("c", 0), ("d", 0), ("a", 1)]
VALIDATION = [("b", 1), ("e", 0), ("a", 1)]
TEST = [("a", 0), ("e", 1), (LONG + "!", 0), ("a", 1)]


@pytest.fixture
def cleaned(splits):
    def run(**policies):
        record = Record()
        given = splits(train=TRAIN, validation=VALIDATION, test=TEST)
        return leaks.apply_policies(given, CleaningConfig(**policies), Contents({"label"}), record), given, record

    return run


def found(record):
    return [(one.kind, one.split, one.rows, one.partners, one.dropped) for one in record.findings]


def test_dropped_from_the_earlier_split(cleaned):
    left, given, record = cleaned()
    assert left["train"]["row"][:] == [3, 4]
    assert left["validation"]["row"][:] == [0]
    assert left["test"].to_list() == given["test"].to_list()
    assert found(record) == [
        ("leaks", "validation", [1, 2], [("test", 1), ("test", 0)], 2),
        ("leaks", "train", [0, 5], [("test", 0), ("test", 0)], 2),
        ("leaks", "train", [1], [("validation", 0)], 1),
        ("near_leaks", "train", [2], [("test", 2)], 1),
    ]
    assert [(one.split, one.row) for one in record.dropped][:3] == [("validation", 1), ("validation", 2), ("train", 0)]


def test_reported_for_every_pair_of_splits(cleaned):
    left, given, record = cleaned(leaks="report", near_leaks="report")
    assert left.num_rows == given.num_rows
    assert found(record) == [
        ("leaks", "validation", [1, 2], [("test", 1), ("test", 0)], 0),
        ("leaks", "train", [0, 5], [("test", 0), ("test", 0)], 0),
        ("leaks", "train", [0, 1, 5], [("validation", 2), ("validation", 0), ("validation", 2)], 0),
        ("near_leaks", "train", [2], [("test", 2)], 0),
    ]


def test_error(cleaned):
    _, _, record = cleaned(leaks="error", near_leaks="error")
    assert [problem.key for problem in record.problems] == ["cleaning.leaks"] * 3 + ["cleaning.near_leaks"]
    assert "rows 0, 5 (counted from 0) (see test 0, test 0)" in record.problems[1].message


def test_ignored(cleaned):
    left, given, record = cleaned(leaks="ignore", near_leaks="ignore")
    assert (left.num_rows, record.findings) == (given.num_rows, [])


def test_near_leaks_alone_leave_the_same_rows_where_they_are(cleaned):
    _, _, record = cleaned(leaks="ignore", near_leaks="drop")
    assert [(one.kind, one.rows) for one in record.findings] == [("near_leaks", [2])]


def test_warned_of(cleaned, caplog):
    cleaned()
    assert "2 rows of 3 in validation are in test too: rows 1, 2 (counted from 0); left out" in caplog.text
    assert {record.levelname for record in caplog.records} == {"WARNING"}
