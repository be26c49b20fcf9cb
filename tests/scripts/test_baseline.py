"""The baseline on each kind of label: its figure is scikit-learn's on the recipe's own split."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from tunebook.check import check
from tunebook.config.compose import compose
from tunebook.errors import ConfigurationError

SCRIPT = Path(__file__).parents[2] / "scripts" / "baseline.py"
WORDS = ["sun", "rain", "snow", "wind", "fog", "hail"]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("baseline", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def configured(tmp_path, task, label, *said):
    for split, rows in {"train": 60, "validation": 12}.items():
        lines = [{"text": f"{WORDS[at % 6]} {WORDS[at % 5]} {split} {at}", "label": label(at)} for at in range(rows)]
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    given = [f"dataset.{split}={tmp_path / split}.jsonl" for split in ("train", "validation")]
    return check(compose([f"task={task}", "dataset=files", *given, *said]))


def test_several_labels(script, tmp_path):
    config = configured(tmp_path, "multi_label_text", lambda at: [w for w in WORDS[:2] if w in (WORDS[at % 6],)])
    assert script.metric(config) == "f1_macro"
    assert script.baseline(config) == {"validation": pytest.approx(1.0)}


def test_numbers(script, tmp_path):
    config = configured(tmp_path, "text_regression", lambda at: float(at % 6))
    assert script.metric(config) == "pearson"
    assert script.baseline(config)["validation"] > 0.9


def test_what_it_is_not_for_is_said(script, tmp_path):
    with pytest.raises(ConfigurationError, match=r"for texts; this recipe's task is image_classification"):
        script.baseline(check(compose(["+recipe=image_digits"])))
    config = configured(tmp_path, "multi_label_text", lambda at: ["ab"[at % 2]], "task.metrics=[average_precision]")
    with pytest.raises(ConfigurationError, match=r"none of task\.metrics scores the predictions"):
        script.baseline(config)
