"""Rows without a value go, count as empty, or are refused, as the policy says."""

from __future__ import annotations

from datasets import Dataset, DatasetDict

from tunebook.data.cleaning.findings import Record
from tunebook.data.cleaning.missing import apply_policy
from tunebook.data.columns import Column

TRAIN = {"text": ["a", None, "  ", "d"], "label": ["x", "y", "x", None], "row": [0, 1, 2, 3]}
TEST = {"text": ["e", None], "label": [None, "y"], "row": [0, 1]}


def run(policy, kind="label", train=TRAIN):
    record = Record()
    given = DatasetDict(train=Dataset.from_dict(train), test=Dataset.from_dict(TEST))
    return apply_policy(given, {"text": Column("text"), "label": Column(kind, target=True)}, policy, record), record


def test_drop_takes_training_rows_alone():
    left, record = run("drop")
    assert left["train"].to_list() == [{"text": "a", "label": "x", "row": 0}]
    assert left["test"].to_list() == [{"text": "e", "label": None, "row": 0}, {"text": "", "label": "y", "row": 1}]
    assert [(one.split, one.rows, one.dropped, one.policy) for one in record.findings] == [
        ("train", [1, 2], 2, "drop"), ("train", [3], 1, "drop"), ("test", [1], 0, "report")
    ]  # fmt: skip
    assert record.dropped[0].values == {"text": None, "label": "y"}


def test_report_makes_texts_empty_and_leaves_labels_to_be_refused():
    left, record = run("report")
    assert left["train"]["text"][:] == ["a", "", "", "d"]
    assert left["train"]["label"][:] == TRAIN["label"]
    assert left["train"].column_names == list(TRAIN)
    assert [one.words for one in record.findings] == [
        "2 rows of 4 in train have no text, which counts as an empty one",
        "1 row of 2 in test has no text, which counts as an empty one",
    ]


def test_error_is_left_to_the_checks():
    left, record = run("error")
    assert left["train"]["text"][:] == TRAIN["text"]
    assert not record.findings


def test_a_column_without_any_value_is_left_to_be_refused():
    left, record = run("drop", train={**TRAIN, "text": [None] * 4})
    assert left["train"]["text"][:] == [None] * 3
    assert [one.rows for one in record.findings if one.split == "train"] == [[3]]


def test_no_label_is_a_label_where_a_row_may_have_several():
    left, _ = run("drop", kind="labels")
    assert left["train"]["row"][:] == [0, 3]
