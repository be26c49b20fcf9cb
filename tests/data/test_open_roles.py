"""Tasks without labels, label types of a task's own, and columns of every kind go through `prepare`."""

from __future__ import annotations

import json

import numpy as np
import pytest
from datasets import Dataset, DatasetDict, List, Value

from tests.data.small_tasks import task
from tunebook.data import checks, kinds
from tunebook.data.columns import Column
from tunebook.data.labels.base import Targets, class_members
from tunebook.data.labels.multi_label import MultiLabel
from tunebook.data.prepare import prepare
from tunebook.data.sampling import none
from tunebook.data.sampling.base import ANY, TrainTargets
from tunebook.errors import DataError

SUMMARIES = {"text": Column("text"), "summary": Column("text", target=True)}
TAGGED = {"text": Column("text"), "tags": Column("tags", target=True)}


class Tags:
    """A toy label type: a list of tags a row becomes a list of ids."""

    name = "token_labels"
    words = "one tag a token"
    has_classes = False
    empty_is_missing = True

    def encode(self, splits, role, stated, key, separator=None):
        names = sorted({tag for split in splits.values() for tags in split[role] for tag in tags})
        ids = {name: index for index, name in enumerate(names)}

        def encoded(split):
            values = [[ids[tag] for tag in tags] for tags in split[role]]
            return split.remove_columns(role).add_column(role, values, feature=List(Value("int64")))

        for name, split in splits.items():
            splits[name] = encoded(split)
        return splits, Targets(tuple(names), "the values")

    def strata(self, values):
        return None

    def describe(self, value, names):
        return " ".join(names[tag] for tag in value)


def story(at):
    """Words that no other story has."""
    return " ".join(f"word{at}x{place}" for place in range(6))


def rows_of_summaries(count=20):
    return [{"text": story(at), "summary": f"story {at}"} for at in range(count)]


@pytest.fixture
def prepared(tmp_path, write, configured):
    """prepared(rows, task, **fields of dataset) of a JSON Lines file."""

    def run(rows, of, **fields):
        write("rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        return prepare(configured("files", {"train": "rows.jsonl"}, **fields), of, None, tmp_path)

    return run


def test_a_task_without_labels_is_split_at_random(prepared):
    fields = {"split": {"validation": 0.2, "test": 0.1, "seed": 3}, "max_rows": {"train": 10}}
    data = prepared(rows_of_summaries(), task(SUMMARIES, None), **fields)
    assert data.splits.num_rows == {"train": 10, "validation": 4, "test": 2}
    assert set(data.splits["train"].column_names) == {"text", "summary", "row"}
    assert (data.targets, data.label, data.label_names) == (Targets(), None, [])
    targets = data.train_targets()
    assert none.Sampling(none.Options(), targets).rows == 10
    for wanted in ("strata", "counts"):
        with pytest.raises(TypeError, match="no classes"):
            getattr(targets, wanted)


@pytest.mark.parametrize("of", [task(SUMMARIES, None), task(TAGGED, Tags())], ids=["no labels", "tags"])
@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"per_class": 2}, "dataset.per_class=2"),
        ({"split": {"test": 0.2, "method": "stratified"}}, "dataset.split.method=stratified"),
    ],
)
def test_what_needs_classes_is_refused(prepared, of, fields, key):
    rows = [{**row, "tags": ["A", "B"]} for row in rows_of_summaries()]
    with pytest.raises(DataError) as caught:
        prepared(rows, of, **fields)
    [problem] = caught.value.problems
    assert problem.key == key
    assert "this task" in problem.message


@pytest.mark.parametrize("fields", [{"labels": ["a", "b"]}, {"label_separator": "|"}])
def test_settings_of_labels_need_labels(prepared, fields):
    with pytest.raises(DataError) as caught:
        prepared(rows_of_summaries(), task(SUMMARIES, None), **fields)
    assert [problem.key for problem in caught.value.problems] == [f"dataset.{next(iter(fields))}"]


def test_a_label_type_of_a_tasks_own(prepared):
    rows = [{"text": story(at), "tags": ["O", "B" if at % 2 else "O", "O"][: 2 + at % 2]} for at in range(20)]
    data = prepared(rows, task(TAGGED, Tags()), split={"test": 0.25})
    assert data.targets == Targets(("B", "O"), "the values")
    assert data.splits.num_rows == {"train": 15, "test": 5}
    first = data.splits["train"][0]
    assert data.label.type.describe(first["tags"], data.targets.names).startswith("O")
    targets = data.train_targets()
    assert (targets.labels.name in ANY, len(targets.values)) == (True, 15)
    with pytest.raises(TypeError):
        _ = targets.counts


def test_numbers_of_a_multi_label_task_are_counted():
    targets = TrainTargets(MultiLabel(), ("a", "b"), np.array([[1, 0], [1, 1]], dtype=np.int8))
    assert targets.counts.tolist() == [2, 1]
    assert class_members(targets.strata, 2).tolist() == [[True, False], [True, True]]


GOOD = {
    "text": ["", "a text"],
    "tokens": [[], ["a", "b"]],
    "messages": [[{"role": "user", "content": "hello"}]],
    "number": [1, 2.5],
    "tags": [["B-PER", "O"], [1, 0]],
    "spans": [{"text": ["a"], "answer_start": [3]}, {"text": [], "answer_start": []}, [{"start": 1, "end": 2}]],
    "boxes": [[], [[0, 0, 1, 2.5]], {"bbox": [[0, 0, 1, 1]], "category": [3]}],
}
BAD = {
    "text": [None, 3, ["a"]],
    "tokens": ["a b", [1], None],
    "messages": [[], "hello", [{"role": "user"}], [{"role": "user", "content": 3}]],
    "number": [True, "3", float("nan"), None],
    "tags": ["B", [True], [None]],
    "spans": ["a", {"text": ["a"], "answer_start": []}, {"text": "a", "answer_start": 3}],
    "boxes": [[[0, 0, 1]], [[0, 0, 1, "a"]], {"category": [1]}],
}


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_the_table_of_kinds(kind):
    of_kind = kinds.KINDS[kind][1]
    assert [of_kind(value) for value in GOOD[kind]] == [True] * len(GOOD[kind])
    assert [of_kind(value) for value in BAD[kind]] == [False] * len(BAD[kind])


def test_a_wrong_value_is_reported_with_its_row_and_column():
    train = Dataset.from_dict({"row": [4, 9], "size": [1.5, None]})
    key = "dataset.columns.size"
    problems = checks.values(DatasetDict(train=train), {"size": Column("number")}, {"size": key}, {"train": "a.csv"})
    assert [(problem.key, problem.place) for problem in problems] == [(key, "a.csv")]
    assert "row 9" in problems[0].message


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("a", "a"),
        (["a", "b"], "a b"),
        ([{"role": "user", "content": "a"}, {"role": "x", "content": "b"}], "a\nb"),
    ],
)
def test_every_textual_value_reads_as_one_text(value, text):
    assert kinds.as_text(value) == text
