"""Columns of every kind go through the whole of `prepare` as inputs and as targets."""

from __future__ import annotations

import json

import pytest

from tests.data.small_tasks import task
from tunebook.data.columns import Column
from tunebook.data.prepare import prepare
from tunebook.errors import DataError

CHAT = {"messages": Column("messages", target=True)}
QUESTIONS = {"question": Column("text"), "context": Column("text"), "answers": Column("spans", target=True)}
TOKENS = {"tokens": Column("tokens"), "tags": Column("tags", target=True)}


def words(at):
    return " ".join(f"word{at}x{place}" for place in range(6))


def row(at):
    said = [{"role": "user", "content": words(at)}, {"role": "assistant", "content": f"yes {at}"}]
    return {
        "messages": said,
        "question": f"what {at}",
        "context": words(at),
        "answers": {"text": [f"word{at}x0"] if at % 2 else [], "answer_start": [0] if at % 2 else []},
        "tokens": words(at).split(),
        "tags": [0, 1, 0, 0, 1, 1],
    }


@pytest.fixture
def prepared(tmp_path, write, configured):
    def run(rows, columns, **fields):
        write("rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        return prepare(configured("files", {"train": "rows.jsonl"}, **fields), task(columns, None), None, tmp_path)

    return run


@pytest.mark.parametrize("columns", [CHAT, QUESTIONS, TOKENS], ids=["chat", "questions", "tokens"])
def test_every_kind_goes_through(prepared, columns):
    data = prepared([row(at) for at in range(20)], columns, split={"test": 0.25})
    assert data.splits.num_rows == {"train": 15, "test": 5}
    assert set(data.splits["train"].column_names) == {*columns, "row"}
    first = data.splits["train"][0]
    assert {role: first[role] for role in columns} == {role: row(first["row"])[role] for role in columns}


@pytest.mark.parametrize(
    ("columns", "role", "value"),
    [
        (CHAT, "messages", []),
        (QUESTIONS, "answers", {"text": ["a"], "answer_start": []}),
    ],
)
def test_a_value_of_another_kind_is_reported_with_row_and_column(prepared, columns, role, value):
    rows = [row(at) for at in range(4)]
    rows[2] = {**rows[2], role: value}
    with pytest.raises(DataError) as caught:
        prepared(rows, columns)
    [problem] = caught.value.problems
    assert problem.key.startswith(f"dataset.columns.{role}")
    assert "row 2" in problem.message
