"""scripts/audit.py as a user types it: mistakes like run.py's, a table, and files where it says they are."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests import tiny
from tests.commands import typed
from tunebook.check import check
from tunebook.config.compose import compose
from tunebook.errors import ConfigurationError, DataError

ROOT = Path(__file__).parents[2]
COPIED = "a warm and funny film with a great cast"


def mistake(*arguments):
    outcome = typed([{"program": "scripts/audit.py", "arguments": [*arguments]}])[0]
    assert not outcome["imported"]
    assert "Traceback" not in outcome["output"]
    return outcome["code"], outcome["output"]


def said(folder, *arguments):
    command = [sys.executable, str(ROOT / "scripts" / "audit.py"), *arguments]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=environment, timeout=300, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture
def recipe(tmp_path):
    """Overrides of a recipe with a tiny tokenizer, and a copied row among its texts."""
    model = tiny.tiny_text_model("bert", tmp_path / "tiny")
    rows = [
        {"text": f"{text} {at}", "label": "good" if at % 2 else "bad"} for at in range(8) for text in tiny.SENTENCES
    ]
    rows += [{"text": COPIED, "label": "good"}] * 2 + [{"text": "<b>bold</b>", "label": "bad"}] * 2
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return [
        "+recipe=bert_sentiment", "model=auto", f"model.name_or_path={model}", "task.max_length=8",
        "dataset=files", f"dataset.train={file}",
    ]  # fmt: skip


def test_mistakes_are_told_at_once_and_without_the_libraries():
    code, output = mistake("+recipe=bert_sentimnt")
    assert (code, "did you mean bert_sentiment?" in output) == (2, True)
    code, output = mistake("+recipe=bert_sentiment", "hyperparameters.lerning_rate=1", "augmentation")
    assert (code, "did you mean learning_rate?" in output) == (2, True)


def test_help_needs_no_libraries():
    code, output = mistake("--help")
    assert code == 0
    assert "python scripts/audit.py +recipe=bert_sentiment" in output


def test_an_audit_without_training(recipe, tmp_path):
    done = said(tmp_path, *recipe, "run.output_dir=here", "run.recipe=mine")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "here" / "audits" / "mine"
    assert sorted(path.name for path in folder.iterdir()) == ["audit.html", "audit.json"]
    assert "here/audits/mine/audit.html" in done.stdout
    record = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
    assert record["checks"]["duplicates"]["numbers"]["findings"][0]["rows"] == 2
    # A tokenizer of pieces: every sentence but the two short ones has more than 8 tokens.
    lengths = record["checks"]["lengths"]["numbers"]
    assert (lengths["unit"], lengths["max_length"]) == ("tokens", 8)
    assert lengths["splits"]["train"]["longest"] > 8
    assert lengths["splits"]["train"]["cut_share"] > 0.9
    page = (folder / "audit.html").read_text(encoding="utf-8")
    assert COPIED in page
    assert "<b>bold" not in page


def preview(recipe, *more):
    script = runpy.run_path(str(ROOT / "scripts" / "audit.py"), run_name="audit")
    script["preview_augmentation"](check(compose([*recipe, *more])), "")


def test_a_preview_of_augmentation(recipe, tmp_path, capsys):
    preview(recipe, "augmentation=text_noise", f"run.output_dir={tmp_path / 'there'}")
    assert "│ before" in capsys.readouterr().out
    page = (tmp_path / "there" / "audits" / "bert_sentiment" / "augmentation.html").read_text(encoding="utf-8")
    assert page.count("<h4>before</h4>") == 5


def test_no_augmentation_is_a_mistake(recipe):
    fitting = "augmentation=paraphrase, synonyms, text_mixup, text_noise$"
    with pytest.raises(ConfigurationError, match=f"none changes no row; for text_classification there are {fitting}"):
        preview(recipe)


def test_the_word_augmentation_may_stand_anywhere(recipe, tmp_path):
    done = said(tmp_path, "augmentation", *recipe)
    assert done.returncode == 2
    assert "none changes no row" in done.stderr


def test_a_named_audit_has_a_folder_of_its_own(recipe, tmp_path):
    script = runpy.run_path(str(ROOT / "scripts" / "audit.py"), run_name="audit")
    folders = [
        script["folder_of"](check(compose([*recipe, "run.output_dir=here", *more]))) for more in ([], ["run.name=b"])
    ]
    assert folders == [Path("here/audits/bert_sentiment"), Path("here/audits/bert_sentiment/b")]


@pytest.mark.parametrize(
    ("more", "part"),
    [
        (["loss=weighted", "loss.class_weights={splendid: 2}"], "splendid"),
        (["task.metrics=[f1:splendid]"], "the data has no label 'splendid'"),
        (["task.positive=splendid"], "the data has no label 'splendid'"),
        (["task.threshold=tuned"], "tuned needs a validation split"),
    ],
)
def test_labels_that_no_row_has_are_refused_as_run_py_does(recipe, more, part):
    script = runpy.run_path(str(ROOT / "scripts" / "audit.py"), run_name="audit")
    with pytest.raises(DataError, match=part):
        script["audit_data"](check(compose([*recipe, *more])), "")
