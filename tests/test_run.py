"""What a run does and leaves, in one process, with tiny models on data that ships or is made here."""

import json
import logging

import pytest
import yaml
from transformers import pipeline

from tests import tiny
from tunebook.check import check
from tunebook.config.compose import compose
from tunebook.errors import ConfigurationError, RunDirectoryError
from tunebook.run import run
from tunebook.run_directory import opened

FILES = {
    "README.md", "history.jsonl", "log.txt", "metrics.json", "model", "predictions", "recipe.yaml",
    "report.html", "run.json", "checkpoints", "audit.html", "audit.json",
}  # fmt: skip


def go(out, *overrides):
    return run(check(compose([*overrides, "runtime=cpu", "runtime.precision=float32", f"run.output_dir={out}"])))


@pytest.fixture
def text(tmp_path):
    folder = tiny.tiny_text_model("bert", tmp_path / "bert")
    sizes = "dataset.max_rows={train: 48, validation: 24, test: 24}"
    return ["model=auto", f"model.name_or_path={folder}", "task.max_length=48", sizes]


def test_a_text_run_leaves_what_the_design_says_and_its_pipeline_answers(tmp_path, text):
    result = go(tmp_path, *text, "hyperparameters.num_train_epochs=1")
    assert {path.name for path in result.path.iterdir() if not path.name.startswith(".")} == FILES
    assert json.loads((result.path / "run.json").read_text())["status"] == "finished"
    assert result.metrics.keys() == {"validation", "test"}
    assert result.metrics["test"].keys() == {"accuracy", "f1_macro", "loss"}
    answer = pipeline("text-classification", model=str(result.model))("a warm and funny film")[0]
    assert answer["label"] in {"negative", "positive"}
    assert not (result.model / "training_args.bin").exists()


def test_predictions_agree_with_the_metrics(tmp_path, text):
    result = go(tmp_path, *text, "hyperparameters.num_train_epochs=1")
    for split in ("validation", "test"):
        lines = [json.loads(line) for line in (result.path / "predictions" / f"{split}.jsonl").read_text().splitlines()]
        correct = sum(line["predicted"] == line["label"] for line in lines) / len(lines)
        assert result.metrics[split]["accuracy"] == pytest.approx(correct)
        assert result.metrics[split]["loss"] == pytest.approx(
            sum(line["loss"] for line in lines) / len(lines), rel=1e-4
        )


def test_an_image_run_needs_no_text(tmp_path):
    result = go(tmp_path, "+recipe=image_digits", "hyperparameters.max_steps=4",
                "dataset.max_rows={train: 64, validation: 32, test: 32}", "dataset.rows=null")  # fmt: skip
    answer = pipeline("image-classification", model=str(result.model))
    from PIL import Image

    assert answer(Image.new("L", (8, 8)))[0]["label"] in set("0123456789")


def test_the_frozen_recipe_repeats_the_run(tmp_path, text):
    first = go(tmp_path / "a", *text, "hyperparameters.num_train_epochs=1")
    second = go(tmp_path / "b", f"+recipe={first.path / 'recipe.yaml'}")
    assert second.path.name == first.path.name
    assert second.metrics == first.metrics
    weights = [(result.model / "model.safetensors").read_bytes() for result in (first, second)]
    assert weights[0] == weights[1]


def test_the_same_seed_repeats_and_another_does_not(tmp_path, text):
    results = {
        name: go(tmp_path / name, *text, "hyperparameters.max_steps=3", f"hyperparameters.seed={seed}")
        for name, seed in {"a": 1, "b": 1, "c": 2}.items()
    }
    weights = {name: (result.model / "model.safetensors").read_bytes() for name, result in results.items()}
    assert weights["a"] == weights["b"] != weights["c"]


def test_a_finished_run_is_not_overwritten_unasked(tmp_path, text):
    said = ["hyperparameters.max_steps=2", "run.name=x"]
    first = go(tmp_path, *text, *said)
    before = (first.path / "run.json").read_text()
    again = go(tmp_path, *text, *said)
    assert first.trained
    assert not again.trained
    assert again.metrics == first.metrics
    assert (first.path / "run.json").read_text() == before
    assert go(tmp_path, *text, *said, "run.overwrite=true").trained


def test_early_stopping_keeps_the_best_by_the_metrics_own_direction(tmp_path, text):
    result = go(
        tmp_path, *text, "hyperparameters.learning_rate=1e-9", "hyperparameters.num_train_epochs=9",
        "hyperparameters.early_stopping_patience=2", "hyperparameters.metric_for_best_model=accuracy",
    )  # fmt: skip
    best = json.loads((result.path / "metrics.json").read_text())["best"]
    # At this rate nothing changes: the first evaluation stays the best one, and two more end the run.
    assert (best["metric"], best["greater_is_better"]) == ("accuracy", True)
    assert best["step"] == 2
    assert best["steps_trained"] == 6


def test_a_loss_as_best_metric_is_better_when_lower(tmp_path, text):
    result = go(tmp_path, *text, "hyperparameters.metric_for_best_model=loss", "hyperparameters.num_train_epochs=4",
                "hyperparameters.learning_rate=1e-3", "runtime.save_total_limit=9")  # fmt: skip
    record = json.loads((result.path / "metrics.json").read_text())["best"]
    history = [json.loads(line) for line in (result.path / "history.jsonl").read_text().splitlines()]
    losses = {entry["step"]: entry["eval_loss"] for entry in history if "eval_loss" in entry}
    assert record["step"] == min(losses, key=losses.get)
    assert result.metrics["validation"]["loss"] == pytest.approx(min(losses.values()), rel=1e-5)


def test_without_a_validation_split_evaluations_are_refused_with_the_mend(tmp_path, text):
    from tunebook.errors import DataError

    file = tmp_path / "rows.csv"
    file.write_text("text,label\n" + "".join(f"a good film {at},{'ab'[at % 2]}\n" for at in range(20)))
    said = [*text[:3], "dataset=files", f"dataset.train={file}", "hyperparameters.num_train_epochs=1"]
    with pytest.raises(DataError, match=r"validation split.*dataset\.split\.validation=0\.1"):
        go(tmp_path, *said)
    result = go(tmp_path, *said, "hyperparameters.eval_strategy='no'", "hyperparameters.load_best_model_at_end=false")
    assert result.metrics == {}


def test_loggers_are_left_as_they_were(tmp_path, text):
    go(tmp_path, *text, "hyperparameters.max_steps=1")
    assert logging.getLogger("tunebook").handlers == []


def test_a_run_that_is_going_on_is_not_deleted(tmp_path, text):
    configs = [
        check(compose([*text, "runtime=cpu", f"run.output_dir={tmp_path}", f"run.overwrite={said}"]))
        for said in ("false", "true")
    ]
    with opened(configs[0], "a command", 1) as directory:
        (directory.path / "log.txt").write_text("precious")
        with pytest.raises(RunDirectoryError, match="is in use"), opened(configs[1], "a command", 1):
            pass
        assert (directory.path / "log.txt").read_text() == "precious"


def test_a_recipe_file_cannot_delete_a_run(tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("# @package _global_\nrun:\n  overwrite: true\n")
    with pytest.raises(ConfigurationError, match=r"run\.overwrite.*command line"):
        compose([f"+recipe={recipe}"])


def test_an_effective_batch_that_follows_from_the_processes_is_frozen_as_it_was(tmp_path, text):
    sizes = ["hyperparameters.per_device_train_batch_size=8", "hyperparameters.gradient_accumulation_steps=2"]
    said = [*text, "hyperparameters.effective_batch_size=null", *sizes, "hyperparameters.max_steps=1"]
    first = go(tmp_path / "a", *said)
    frozen = yaml.safe_load((first.path / "recipe.yaml").read_text())["hyperparameters"]
    assert frozen["effective_batch_size"] == 16
    assert "gradient_accumulation_steps" not in frozen
    second = go(tmp_path / "b", f"+recipe={first.path / 'recipe.yaml'}")
    assert second.metrics == first.metrics


def test_overwriting_deletes_the_old_run_only_after_every_check(tmp_path, text):
    from tunebook.errors import FreezingError

    said = ["hyperparameters.max_steps=2", "run.name=x"]
    first = go(tmp_path, *text, *said)
    before = {path: path.read_bytes() for path in first.path.rglob("*") if path.is_file() and path.name != "log.txt"}
    with pytest.raises(FreezingError):
        go(tmp_path, *text, *said, "run.overwrite=true", "freezing=last_n", "freezing.n=99")
    assert all(path.read_bytes() == content for path, content in before.items())
    again = go(tmp_path, *text, *said, "run.overwrite=true", "freezing=head_only")
    assert again.trained
    assert json.loads((again.path / "run.json").read_text())["configuration"]["freezing"]["policy"] == "head_only"


def test_a_frozen_recipe_refuses_other_rows(tmp_path, text):
    from tunebook.errors import DataError

    rows = tmp_path / "rows.csv"
    rows.write_text("text,label\n" + "".join(f"a good film {at},{'ab'[at % 2]}\n" for at in range(40)))
    said = [*text[:3], "dataset=files", f"dataset.train={rows}", "dataset.split.validation=0.2"]
    first = go(tmp_path / "a", *said, "hyperparameters.max_steps=1")
    rows.write_text(rows.read_text().replace("film", "movie"))
    with pytest.raises(DataError, match=r"dataset\.fingerprints.*frozen from: train, validation"):
        go(tmp_path / "b", f"+recipe={first.path / 'recipe.yaml'}")
