"""The predictions file: order, content, whole or not at all."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tunebook.evaluation import predictions

NAMES = ["nein", "schön"]


def test_order_and_content(tmp_path):
    path = tmp_path / "predictions" / "test.jsonl"
    rows = np.array([7, 2, 5])
    predictions.write(
        path,
        rows,
        np.array([1, 0, 1]),
        np.array([1, 1, 1]),
        NAMES,
        np.array([0.9, 0.6, 0.55], dtype=np.float32),
        np.array([0.1, np.nan, 0.6], dtype=np.float32),
    )
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["row"] for line in lines] == [7, 2, 5]
    assert lines[0] == {
        "row": 7,
        "label": "schön",
        "predicted": "schön",
        "probability": 0.9,
        "loss": 0.1,
        "correct": True,
    }
    assert lines[1]["loss"] is None
    assert [line["correct"] for line in lines] == [True, False, True]
    assert "schön" in path.read_text(encoding="utf-8")
    assert [file.name for file in path.parent.iterdir()] == ["test.jsonl"]


def test_an_old_file_survives_a_failure(tmp_path, monkeypatch):
    path = tmp_path / "test.jsonl"
    path.write_text("old")
    monkeypatch.setattr(predictions, "_line", lambda *_: 1 / 0)
    one = np.array([0])
    with pytest.raises(ZeroDivisionError):
        predictions.write(path, one, one, one, NAMES, one * 0.5, one * 0.5)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        ("predicted", [0, 2], "predicted holds"),
        ("references", [-1, 0], "references holds"),
        ("loss", [0.0], "equal shape"),
    ],
)
def test_columns_that_do_not_fit(tmp_path, column, values, says):
    columns = {"rows": [0, 1], "predicted": [0, 1], "references": [0, 1], "probability": [1.0, 1.0]}
    columns |= {"loss": [0.0, 0.0], column: values}
    arrays = {name: np.array(values) for name, values in columns.items()}
    with pytest.raises(ValueError, match=says):
        predictions.write(tmp_path / "x.jsonl", label_names=NAMES, **arrays)
    assert list(tmp_path.iterdir()) == []


def test_no_rows_make_an_empty_file(tmp_path):
    none = np.array([], dtype=int)
    predictions.write(tmp_path / "x.jsonl", none, none, none, NAMES, none, none)
    assert (tmp_path / "x.jsonl").read_text() == ""
