"""The whole audit: which checks apply to which data, their order, and a record with stable keys."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.data.audit.conftest import png, sentences
from tunebook.config import registry
from tunebook.data.audit.audit import audit, plain, write_json

EVERY = {"class_balance", "duplicates", "label_conflicts", "leaks", "missing_values", "rare_classes"}


@pytest.fixture
def texts(made):
    rows = {"text": sentences(60), "label": [0, 1] * 30}
    rows["text"][1] = "secret film"
    return made({"train": rows, "test": {"text": sentences(30, 1), "label": [0, 1] * 15}})


def test_checks_are_found_by_their_files(texts):
    folder = Path(__file__).parents[3] / "src" / "tunebook" / "data" / "audit" / "checks"
    assert registry.names("check") == sorted(file.stem for file in folder.glob("*.py") if file.stem != "__init__")
    assert len(registry.names("check")) >= 11
    assert set(audit(texts.data, texts.facts).results) == EVERY | {"alignment", "giveaways", "lengths"}


def test_checks_that_do_not_apply_are_left_out(made):
    generator = np.random.default_rng(0)
    images = [png(generator.integers(0, 255, (8, 8, 3), dtype=np.uint8)) for _ in range(8)]
    pictures = made({"train": {"image": images, "label": [0, 1] * 4}})
    assert set(audit(pictures.data, pictures.facts).results) == EVERY - {"leaks"} | {"giveaways", "images"}
    numbers = made({"train": {"text": ["a b", "c d"], "label": [0.5, 1.5]}}, kind="regression")
    wanted = {"class_balance", "duplicates", "label_conflicts", "lengths", "missing_values"}
    assert set(audit(numbers.data, numbers.facts).results) == wanted


def test_warnings_come_first(made):
    context = made({"train": {"text": sentences(30), "label": [0] * 25 + [1] * 5}})
    levels = [look.level for look in audit(context.data, context.facts).results.values()]
    assert levels == sorted(levels, key=["warning", "note", "fine"].index)
    assert levels[0] == "warning"


def test_the_record_is_plain_json_with_stable_keys_and_no_rows_in_it(texts, tmp_path):
    found = audit(texts.data, texts.facts)
    write_json(tmp_path / "audit.json", found)
    text = (tmp_path / "audit.json").read_text(encoding="utf-8")
    record = json.loads(text)
    assert list(record) == ["format", "source", "rows", "labels", "seed", "checks", "not_applicable"]
    assert record["rows"] == {"train": 60, "test": 30}
    assert record["labels"] == ["bad", "good"]
    assert all(list(check) == ["level", "words", "numbers", "examples"] for check in record["checks"].values())
    assert set(record["checks"]["alignment"]["numbers"]["pairs"]["train and test"]) == {
        "auc", "low", "high", "rows", "features"
    }  # fmt: skip
    assert record["checks"]["class_balance"]["numbers"]["rows"]["train"] == {"bad": 30, "good": 30}
    assert "secret film" not in text


def test_the_same_rows_give_the_same_record(texts):
    assert audit(texts.data, texts.facts).record() == audit(texts.data, texts.facts).record()


def test_plain_values():
    assert plain({"a": np.float32(0.5), 1: (np.int64(2), float("nan")), "c": np.array([1, 2])}) == {
        "a": 0.5,
        "1": [2, None],
        "c": [1, 2],
    }


def test_texts_without_any_word_are_audited(made):
    rows = {"text": ["", "?", "!"] * 20, "label": [0, 1, 0] * 20}
    context = made({"train": rows, "test": rows})
    assert audit(context.data, context.facts).results["lengths"].numbers["splits"]["train"]["without_words"] == 60


def test_several_labels_and_pairs_are_audited(made):
    rows = {"text": sentences(40), "text_pair": sentences(40, 1), "label": [[1, 0], [1, 1]] * 20}
    context = made({"train": rows, "validation": rows}, kind="multi_label")
    assert set(audit(context.data, context.facts).results) == EVERY | {"alignment", "giveaways", "lengths"}
