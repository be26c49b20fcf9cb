"""Splits that cannot be are told before any row is read."""

from __future__ import annotations

import pytest

from tests.data.small_tasks import TEXT
from tunebook.data.preflight import problems


@pytest.mark.parametrize(
    ("split", "columns", "key", "message"),
    [
        ({"k_fold": 5, "fold": 5}, {}, "fold", "must be 0 to 4"),
        ({"fold": 1}, {}, "fold", "there is no k_fold"),
        ({"k_fold": 5, "validation": 0.1}, {}, "k_fold", "set one of them to null"),
        ({"k_fold": 5, "method": "time"}, {"time": "t"}, "k_fold", "cannot go with method=time"),
        ({"k_fold": 5}, {"time": "t"}, "method", "cannot go with k_fold"),
        ({"test": 0.1, "method": "time"}, {}, "method", "needs dataset.columns.time"),
        ({"test": 0.1, "method": "grouped"}, {}, "method", "needs dataset.columns.group"),
        ({"test": 0.1}, {"group": "g", "time": "t"}, "method", "must be grouped or time"),
    ],
)
def test_refused(tmp_path, write, configured, split, columns, key, message):
    write("a.csv", "text,label,g,t\nx,1,1,1\n")
    [problem] = problems(configured("files", {"train": "a.csv"}, split=split, columns=columns), TEXT, tmp_path)
    assert problem.key == f"dataset.split.{key}"
    assert message in problem.message


def test_k_fold_beside_a_given_validation(tmp_path, write, configured):
    write("a.csv", "text,label\nx,1\n")
    config = configured("files", {"train": "a.csv", "validation": "a.csv"}, split={"k_fold": 3})
    assert [problem.key for problem in problems(config, TEXT, tmp_path)] == ["dataset.split.k_fold"]


@pytest.mark.parametrize("split", [{"k_fold": 5, "fold": 4, "test": 0.1}, {"method": "grouped", "k_fold": 3}, {}])
def test_allowed(tmp_path, write, configured, split):
    write("a.csv", "text,label,g,t\nx,1,1,1\n")
    columns = {"group": "g"}
    assert problems(configured("files", {"train": "a.csv"}, split=split, columns=columns), TEXT, tmp_path) == []
