"""What a finding says, and what dropped.jsonl holds."""

from __future__ import annotations

import json

import numpy as np
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, List, Value

from tunebook.data.cleaning.findings import AffectedRows, Dropped, Record, dropped_rows, write_dropped


def rows(**columns):
    return DatasetDict(train=Dataset.from_dict({"row": [4, 7, 9], **columns}))


def test_drop_takes_the_rows_and_keeps_their_numbers():
    record = Record()
    found = AffectedRows("train", [0, 2], "duplicates", "repeat", [("train", 1)] * 2)
    left = record.apply_policy(rows(text=["a", "b", "c"]), found, "drop")
    assert left["train"].to_list() == [{"row": 7, "text": "b"}]
    [finding] = record.findings
    assert (finding.rows, finding.dropped, finding.partners) == ([4, 9], 2, [("train", 1)] * 2)
    assert finding.words == "2 rows of 3 in train repeat"
    assert record.dropped[1] == Dropped("train", 9, "duplicates: repeat (train row 1)", {"text": "c"})
    assert record.dropped_words() == "; rows were dropped from train before: 2 by cleaning.duplicates"


def test_report_and_error_change_nothing():
    record = Record()
    given = rows(text=["a", "b", "c"])
    assert record.apply_policy(given, AffectedRows("train", [1], "conflicts", "stands there"), "report") is given
    assert not record.problems
    found = AffectedRows("train", [1], "conflicts", "stands there", [("train", 4)])
    assert record.apply_policy(given, found, "error") is given
    assert not record.dropped
    [problem] = record.problems
    assert problem.key == "cleaning.conflicts"
    assert problem.message == (
        "1 row of 3 in train stands there: row 7 (counted from 0) (see train 4); "
        "correct or remove them, or set cleaning.conflicts to report or drop"
    )


def test_nothing_found_says_nothing():
    record = Record()
    record.apply_policy(rows(text=["a", "b", "c"]), AffectedRows("train", [], "conflicts", "stand there"), "error")
    assert (record.findings, record.problems) == ([], [])


def test_values_of_dropped_rows(tmp_path):
    features = Features(
        {
            "row": Value("int64"),
            "image": Image(),
            "label": ClassLabel(names=["no", "yes"]),
            "labels": List(Value("int8")),
            "weight": Value("float64"),
        }
    )
    picture = np.zeros((2, 5, 3), dtype=np.uint8)
    data = Dataset.from_dict(
        {"row": [3, 5], "image": [picture, picture], "label": [1, 0], "labels": [[1, 0, 1], [0] * 3], "weight": [1, 2]},
        features=features,
    )
    gone = dropped_rows(data, "train", [0, 1], "why", ["x", "y", "z"])
    assert gone[0] == Dropped("train", 3, "why", {"image": [5, 2], "label": "yes", "labels": ["x", "z"]})
    write_dropped(tmp_path / "dropped.jsonl", gone)
    lines = [json.loads(line) for line in (tmp_path / "dropped.jsonl").read_text().splitlines()]
    assert lines[1] == {
        "split": "train",
        "row": 5,
        "reason": "why",
        "values": {"image": [5, 2], "label": "no", "labels": []},
    }
