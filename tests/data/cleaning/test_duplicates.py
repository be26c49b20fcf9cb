"""The same input twice in one split is told, and taken from training where the policy says so."""

from __future__ import annotations

import pytest

from tunebook.config.data_groups import CleaningConfig
from tunebook.data.cleaning import duplicates
from tunebook.data.cleaning.contents import Contents
from tunebook.data.cleaning.findings import Record

LONG = "the film was long and rather dull but its music made up for much of it"
ROWS = [("a b", 1), ("c d", 0), ("a b", 1), ("c d", 1), (LONG, 0), ("c d", 0), (LONG.upper() + "!", 1), ("a b", 1)]


@pytest.fixture
def cleaned(splits):
    def run(train, policies, **others):
        record = Record(label_names=["neg", "pos"])
        left = duplicates.apply_policies(
            splits(train=train, **others), CleaningConfig(**policies), Contents({"label"}), record
        )
        return left, record

    return run


def found(record):
    return {(one.kind, one.split): (one.rows, one.partners, one.dropped) for one in record.findings}


def test_reported(cleaned):
    left, record = cleaned(ROWS, {})
    assert left["train"]["row"][:] == list(range(8))
    assert found(record) == {
        ("duplicates", "train"): ([2, 5, 7], [("train", 0), ("train", 1), ("train", 0)], 0),
        ("conflicts", "train"): ([1, 3, 5], [("train", 3), ("train", 1), ("train", 3)], 0),
        ("near_duplicates", "train"): ([6], [("train", 4)], 0),
    }
    assert "1 of them with another label" in record.findings[-1].words
    assert not record.dropped


def test_dropped(cleaned):
    left, record = cleaned(ROWS, {"duplicates": "drop", "conflicts": "drop", "near_duplicates": "drop"})
    assert left["train"]["row"][:] == [0, 4]
    assert {one.row: one.reason.split(":")[0] for one in record.dropped} == {
        2: "duplicates", 5: "duplicates", 7: "duplicates", 1: "conflicts", 3: "conflicts", 6: "near_duplicates"
    }  # fmt: skip
    assert record.dropped[0].values == {"text": "a b", "label": "pos"}


def test_only_training_rows_are_dropped(cleaned):
    drop = {"duplicates": "drop", "conflicts": "drop", "near_duplicates": "drop"}
    left, record = cleaned(ROWS, drop, validation=ROWS, test=ROWS)
    assert left["validation"].num_rows == left["test"].num_rows == 8
    assert {one.split for one in record.dropped} == {"train"}
    assert found(record)["conflicts", "test"] == ([1, 3, 5], [("test", 3), ("test", 1), ("test", 3)], 0)


def test_error_tells_every_kind_at_once(cleaned):
    _, record = cleaned(ROWS, {"duplicates": "error", "conflicts": "error", "near_duplicates": "error"})
    assert [problem.key for problem in record.problems] == [
        "cleaning.duplicates",
        "cleaning.conflicts",
        "cleaning.near_duplicates",
    ]
    assert "rows 2, 5, 7 (counted from 0)" in record.problems[0].message


def test_ignored(cleaned):
    left, record = cleaned(ROWS, {"duplicates": "ignore", "conflicts": "ignore", "near_duplicates": "ignore"})
    assert (len(left["train"]), record.findings) == (8, [])


def test_words_of_one_row(cleaned):
    _, record = cleaned([("a b", 1), ("a b", 1), ("c", 0)], {})
    assert [one.words for one in record.findings] == ["1 row of 3 in train repeats an earlier one"]


def test_no_row_goes_for_being_like_one_that_went(cleaned):
    rows = [(LONG, 0), (LONG, 1), (LONG + " all", 1)]
    left, _ = cleaned(rows, {"conflicts": "drop", "near_duplicates": "drop"})
    assert left["train"]["row"][:] == [2]
