"""The predictions file: order, content, whole or not at all."""

from __future__ import annotations

import json

import datasets
import numpy as np
import pytest

from tests.tasks.test_label_outputs import task_of
from tunebook.data.labels.base import Targets
from tunebook.evaluation import predictions
from tunebook.tasks._single_label import SingleLabelOutput
from tunebook.tasks.base import Evaluated


@pytest.fixture
def evaluated():
    return Evaluated(
        split="test",
        rows=datasets.Dataset.from_dict({"row": [7, 2, 5]}),
        predictions=np.array([[1, 0.9], [0, 0.6], [1, 0.55]], dtype=np.float32),
        references=[1, 1, 1],
        losses=np.array([0.1, np.nan, 0.6], dtype=np.float32),
        positions=np.arange(3),
        targets=Targets(("nein", "schön")),
    )


def test_order_and_content(tmp_path, evaluated):
    path = tmp_path / "predictions" / "test.jsonl"
    predictions.write(path, task_of(SingleLabelOutput()), evaluated)
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


def test_an_old_file_survives_a_failure(tmp_path, monkeypatch, evaluated):
    path = tmp_path / "test.jsonl"
    path.write_text("old")
    monkeypatch.setattr(predictions, "_plain", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        predictions.write(path, task_of(SingleLabelOutput()), evaluated)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
