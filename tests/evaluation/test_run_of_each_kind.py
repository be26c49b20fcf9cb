"""A run of each kind of label, with a tiny model: what it leaves is what its pipeline answers, by its thresholds."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import random
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from sklearn.metrics import f1_score
from transformers import pipeline

from tests import tiny
from tunebook.check import check
from tunebook.config.compose import compose
from tunebook.errors import ConfigurationError, DataError
from tunebook.run import run

MEANS = {"good": {"good", "warm", "fine", "loved"}, "bad": {"bad", "dull", "cold", "waste"}, "film": {"film", "movie"}}
NAMES = list(MEANS)
ROWS = {"train": 160, "validation": 60, "test": 40}


def rows_of(kind: str, split: str) -> list[dict]:
    draw = random.Random(split)
    found = []
    for _ in range(ROWS[split]):
        words = draw.sample(" ".join(tiny.SENTENCES).split(), 6)
        labels = [name for name, said in MEANS.items() if said & set(words)]
        label = {"class": "spam" if "bad" in labels else "ham", "classes": labels, "number": len(labels) + 0.5}[kind]
        found.append({"text": " ".join(words), "label": label})
    return found


def go(folder: Path, kind: str, *said: str):
    files = []
    for split in ROWS:
        file = folder / f"{kind}-{split}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows_of(kind, split)))
        files.append(f"dataset.{split}={file}")
    task = {"class": "text_classification", "classes": "multi_label_text", "number": "text_regression"}[kind]
    model = tiny.tiny_text_model("bert", folder / "bert")
    plain = ["model=auto", f"model.name_or_path={model}", "dataset=files", "runtime=cpu", "runtime.precision=float32"]
    sizes = ["task.max_length=32", "hyperparameters.learning_rate=2e-3", "cleaning.leaks=report"]
    where = [f"run.output_dir={folder}", f"run.name={kind}"]
    return run(check(compose([f"task={task}", *plain, *files, *sizes, *where, *said])))


TUNED = {
    "class": [
        "task.threshold=tuned",
        "task.positive=spam",
        "task.metrics=['f1:spam',accuracy,average_precision]",
        "dataset.labels=[spam,ham]",
        "hyperparameters.metric_for_best_model=eval_f1:spam",
        "hyperparameters.early_stopping_patience=2",
        "hyperparameters.num_train_epochs=6",
    ],
    "classes": ["task.threshold=tuned", "hyperparameters.num_train_epochs=2"],
    "number": ["hyperparameters.num_train_epochs=2"],
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return {kind: go(folder, kind, *said) for kind, said in TUNED.items()}


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def in_use(result) -> dict[str, float]:
    written = json.loads((result.path / "thresholds.json").read_text())
    assert written == json.loads((result.model / "thresholds.json").read_text())
    return written["thresholds"]


def test_a_pipeline_gives_the_same_number(results):
    model = pipeline("text-classification", model=str(results["number"].model))
    assert model.model.config.num_labels == 1
    predicted = read(results["number"].path / "predictions" / "test.jsonl")
    for row, line in zip(rows_of("number", "test"), predicted, strict=True):
        assert model(row["text"])[0]["score"] == pytest.approx(line["predicted"], abs=1e-5)
        assert line["label"] == row["label"]
        assert line["error"] == pytest.approx(line["predicted"] - row["label"], abs=1e-5)


def test_a_pipeline_by_its_thresholds_gives_the_same_labels(results):
    thresholds = in_use(results["classes"])
    assert set(thresholds) == set(NAMES)
    model = pipeline("text-classification", model=str(results["classes"].model))
    predicted = read(results["classes"].path / "predictions" / "test.jsonl")
    for row, line in zip(rows_of("classes", "test"), predicted, strict=True):
        scores = {one["label"]: one["score"] for one in model(row["text"], top_k=None)}
        assert scores == pytest.approx(line["probabilities"], abs=1e-5)
        assert {label for label, score in scores.items() if score >= thresholds[label]} == set(line["predicted"])
        assert sorted(line["label"]) == sorted(row["label"])


def test_a_pipeline_by_its_threshold_gives_the_same_class(results):
    ((positive, least),) = in_use(results["class"]).items()
    assert positive == "spam"
    model = pipeline("text-classification", model=str(results["class"].model))
    predicted = read(results["class"].path / "predictions" / "test.jsonl")
    for row, line in zip(rows_of("class", "test"), predicted, strict=True):
        scores = {one["label"]: one["score"] for one in model(row["text"], top_k=None)}
        assert line["predicted"] == ("spam" if scores["spam"] >= least else "ham")
        assert line["probability"] == pytest.approx(scores[line["predicted"]], abs=1e-5)


@pytest.mark.parametrize("kind", TUNED)
def test_the_cards_own_code_runs(results, kind, monkeypatch):
    for folder in (results[kind].path, results[kind].model):
        monkeypatch.chdir(folder)
        code = re.search(r"## Use\n\n```python\n(.*?)```", Path("README.md").read_text(), re.DOTALL)[1]
        spoken = io.StringIO()
        with contextlib.redirect_stdout(spoken):
            exec(code, {})
        expected = {"class": r"(spam|ham)\n", "classes": r"\[.*\]\n", "number": r"-?\d+\.\d+(e-\d+)?\n"}[kind]
        assert re.fullmatch(expected, spoken.getvalue())


@pytest.mark.parametrize("kind", TUNED)
def test_try_model_says_the_same(results, kind):
    spec = importlib.util.spec_from_file_location("try_model", Path(__file__).parents[2] / "scripts" / "try_model.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    folder = script.model_folder(results[kind].path)
    lines = read(results[kind].path / "predictions" / "test.jsonl")
    for row, line in list(zip(rows_of(kind, "test"), lines, strict=True))[:8]:
        said = script.answered(folder, row["text"], None)
        if kind == "number":
            assert float(said) == pytest.approx(line["predicted"], rel=1e-3)
        elif kind == "class":
            assert said.split()[0] == line["predicted"]
        else:
            assert {part.split()[0] for part in said.split(", ")} == set(line["predicted"]) or "no label" in said


def test_both_figures_are_kept_and_follow_from_the_predictions(results):
    result = results["classes"]
    written = json.loads((result.path / "metrics.json").read_text())
    assert set(written) == {"validation", "test", "without_thresholds", "best"}
    for split in ("validation", "test"):
        lines = read(result.path / "predictions" / f"{split}.jsonl")
        truth = np.array([[name in line["label"] for name in NAMES] for line in lines])
        tuned = np.array([[name in line["predicted"] for name in NAMES] for line in lines])
        plain = np.array([[line["probabilities"][name] >= 0.5 for name in NAMES] for line in lines])
        order = {"average": "macro", "zero_division": 0}
        assert written[split]["f1_macro"] == pytest.approx(f1_score(truth, tuned, **order))
        assert written["without_thresholds"][split]["f1_macro"] == pytest.approx(f1_score(truth, plain, **order))
        assert written[split]["average_precision"] == written["without_thresholds"][split]["average_precision"]
    assert written["validation"]["f1_macro"] > written["without_thresholds"]["validation"]["f1_macro"]
    assert result.metrics == {split: written[split] for split in ("validation", "test")}


def test_one_labels_figure_picks_the_best_and_stops_early(results):
    best = json.loads((results["class"].path / "metrics.json").read_text())["best"]
    history = read(results["class"].path / "history.jsonl")
    seen = {entry["step"]: entry["eval_f1:spam"] for entry in history if "eval_f1:spam" in entry}
    assert (best["metric"], best["greater_is_better"]) == ("f1:spam", True)
    assert best["value"] == max(seen.values())
    assert best["step"] == max(seen, key=seen.get)
    after = [step for step in seen if step > best["step"]]
    assert len(after) <= 2
    assert best["steps_trained"] == max(seen)


@pytest.mark.parametrize(("kind", "sections"), [("class", {"confusion", "labels"}), ("classes", {"labels"}),
                                                ("number", {"scatter"})])  # fmt: skip
def test_the_report_shows_what_the_kind_has(results, kind, sections):
    found = set(re.findall(r'<section id="(\w+)">', (results[kind].path / "report.html").read_text()))
    assert found & {"confusion", "labels", "scatter"} == sections
    assert "mistakes" in found


@pytest.mark.parametrize("kind", TUNED)
def test_a_finished_run_shows_its_figures_again(results, kind):
    again = go(results[kind].path.parents[1], kind, *TUNED[kind])
    assert not again.trained
    assert again.metrics == results[kind].metrics


def test_the_frozen_recipe_holds_the_wish_and_not_the_threshold(results):
    frozen = yaml.safe_load((results["classes"].path / "recipe.yaml").read_text())["task"]
    assert (frozen["multi_label"], frozen["threshold"]) == (True, "tuned")


# ---- test rows never choose ----


def test_test_rows_choose_nothing(results, tmp_path):
    """The same validation rows and other test rows give the same thresholds, and other figures on test."""
    other = tmp_path / "other.jsonl"
    other.write_text("".join(json.dumps(row) + "\n" for row in rows_of("classes", "train")[:40]))
    again = go(tmp_path, "classes", *TUNED["classes"], f"dataset.test={other}")
    assert in_use(again) == in_use(results["classes"])
    assert again.metrics["validation"] == results["classes"].metrics["validation"]
    assert again.metrics["test"] != results["classes"].metrics["test"]


# ---- mistakes ----


def told(*said: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        check(compose([*said, "dataset=reviews"]))
    return str(caught.value)


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (["task=text_regression", "task.metrics=[accuracy]"], r"accuracy.*scores one label a row; for numbers: mae"),
        (["task.multi_label=true"], r"accuracy.*for several labels a row: average_precision, exact_match"),
        (["task.threshold=maybe"], r"task\.threshold .*should be a number between 0 and 1, or tuned, not 'maybe'"),
        (["task.threshold=1.5"], r"task\.threshold .*between 0 and 1"),
        (["task.threshold=true"], r"task\.threshold .*should be a number"),
        (["task=multi_label_text", "task.positive=a"], r"task\.positive .*every label has its own threshold"),
        (["task=text_regression", "+task.threshold=tuned"], r"task\.threshold .*text_classification"),
    ],
)
def test_what_does_not_fit_is_told_at_once(said, says):
    assert re.search(says, told(*said))


def test_without_validation_rows_nothing_is_tuned(tmp_path):
    rows = rows_of("classes", "train")
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = tiny.tiny_text_model("bert", tmp_path / "bert")
    said = ["task=multi_label_text", "task.threshold=tuned", "dataset=files", f"dataset.train={file}", "model=auto",
            f"model.name_or_path={model}", "task.max_length=32", "hyperparameters.eval_strategy='no'", "runtime=cpu",
            "hyperparameters.load_best_model_at_end=false", f"run.output_dir={tmp_path}"]  # fmt: skip
    with pytest.raises(DataError, match=r"task\.threshold.*needs a validation split"):
        run(check(compose(said)))
