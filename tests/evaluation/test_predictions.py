"""The predictions file: order, content, whole or not at all."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tunebook.answers.one_label import OneLabel
from tunebook.evaluation import predictions

NAMES = ["nein", "schön"]
SCORES = np.array([[1, 0.9, 0.1], [0, 0.6, np.nan], [1, 0.55, 0.6]], dtype=np.float32)


def test_order_and_content(tmp_path):
    path = tmp_path / "predictions" / "test.jsonl"
    predictions.write(path, [7, 2, 5], SCORES, np.array([1, 1, 1]), OneLabel(), NAMES)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["row"] for line in lines] == [7, 2, 5]
    assert lines[0] == {
        "row": 7,
        "label": "schön",
        "predicted": "schön",
        "probability": 0.9,
        "correct": True,
        "loss": 0.1,
    }
    assert lines[1]["loss"] is None
    assert [line["correct"] for line in lines] == [True, False, True]
    assert "schön" in path.read_text(encoding="utf-8")
    assert [file.name for file in path.parent.iterdir()] == ["test.jsonl"]


def test_an_old_file_survives_a_failure(tmp_path, monkeypatch):
    path = tmp_path / "test.jsonl"
    path.write_text("old")
    monkeypatch.setattr(predictions, "_plain", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        predictions.write(path, [0], SCORES[:1], np.array([0]), OneLabel(), NAMES)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_row_without_a_score_is_refused(tmp_path):
    with pytest.raises(ValueError, match="as many rows as scores"):
        predictions.write(tmp_path / "test.jsonl", [0, 1], SCORES, np.array([1, 1, 1]), OneLabel(), NAMES)
    assert not list(tmp_path.iterdir())
