"""Mistakes that only the data, the model or the disk can show: told as plainly, with exit code 2 and no traceback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import datasets
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from tests import tiny
from tunebook.check import check
from tunebook.config.command import telling_mistakes
from tunebook.config.compose import compose
from tunebook.run import run
from tunebook.training.batches import batch_layout

ROOT = Path(__file__).parents[1]
GOOD = "text,label\n" + "".join(f"{text},{'ab'[at % 2]}\n" for at, text in enumerate(["good", "bad"] * 8))
TINY = [
    "runtime=cpu", "runtime.precision=float32", "hyperparameters.max_steps=2", "hyperparameters.seed=1",
    "cleaning.leaks=report", "cleaning.near_leaks=report",  # the rows of train are those of validation
]  # fmt: skip


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of 64 positions and 4 layers."""
    return tiny.tiny_text_model("bert", tmp_path_factory.mktemp("models") / "bert")


@pytest.fixture
def told(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """told("an override", train=…) runs in an empty folder with these rows, and gives what a user then reads."""
    monkeypatch.chdir(tmp_path)

    def mistake(
        *overrides: str, train: str | bytes = GOOD, validation: str | None = GOOD, name: str = "train.csv"
    ) -> str:
        Path(name).write_bytes(train.encode() if isinstance(train, str) else train)
        base = ["dataset=files", f"dataset.train={name}", "model=auto", f"model.name_or_path={bert}"]
        if validation:
            Path("validation.csv").write_text(validation)
            base.append("dataset.validation=validation.csv")
        return of([*base, "task.max_length=16", *TINY, *overrides])

    def of(arguments: list[str]) -> str:
        with pytest.raises(SystemExit) as stopped, telling_mistakes():
            run(check(compose(arguments)))
        assert stopped.value.code == 2
        said = capsys.readouterr().err
        assert "Traceback" not in said
        assert " problem" in said.splitlines()[-2] or " problems in " in said
        return said

    mistake.of = of  # type: ignore[attr-defined]
    return mistake


# ---- files


def test_column_of_json_lines(told):
    said = told("dataset.columns.text=review", train='{"reviews": "x", "label": "a"}\n' * 2, name="train.jsonl")
    assert "no such column in train.jsonl; it has: reviews, label; did you mean reviews?" in said


def test_column_of_a_json_array_which_must_be_read_whole(told):
    rows = json.dumps([{"reviews": "x", "label": "a"}] * 2)
    said = told("dataset.columns.text=review", train=rows, name="train.json", validation=None)
    assert "no such column in train.json; it has: reviews, label; did you mean reviews?" in said


def test_empty_file(told):
    assert "train.csv   is empty" in told(train="")


def test_header_without_rows(told):
    assert "train.csv   has a header and no rows" in told(train="text,label\n")


def test_other_encoding(told):
    said = told("dataset.encoding=utf-8", train="text,label\ncafé,a\nthé,b\n".encode("latin-1"))
    assert "is not utf-8: byte 0xe9" in said
    assert "line 2; try dataset.encoding=" in said


def test_ragged_rows(told):
    said = told(train="text,label\nwell, not good,a\nbad,b\n")
    assert "line 2 (3); quote cells that hold a comma, or set dataset.delimiter" in said


def test_rows_without_label(told):
    said = told(train="text,label\ngood,\nbad,b\nfine,a\n")
    assert "train.csv" in said
    assert "1 row has no label: row 0 (counted from 0); complete or remove them" in said


def test_label_that_is_not_a_number(told):
    assert "no label: row 1 (counted from 0)" in told(train="text,label\ngood,1\nbad,NaN\nfine,0\n", validation=None)


def test_label_that_training_never_shows(told):
    assert "'c' is in validation but never in train: row 1" in told(validation="text,label\nx,a\ny,c\n")


def test_one_class_only(told):
    one = "text,label\nx,a\ny,a\n"
    assert "train has one class only, 'a'; there is nothing to tell apart" in told(train=one, validation=one)


def test_other_number_of_rows_than_stated(told):
    assert "states 17 rows; there are 16. Is it the right data?" in told("dataset.rows.train=17")


def test_nothing_to_evaluate(told):
    assert "carve one with dataset.split.validation=0.1, or set" in told(validation=None)


def test_image_that_cannot_be_read(told):
    for split in ("train", "validation"):
        for name in ("cat", "dog"):
            folder = Path("photos", split, name)
            folder.mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(folder / "1.png")
    Path("photos/train/dog/2.jpg").write_bytes(b"no image")
    said = told.of(["task=image_classification", "model=resnet_small", "dataset=image_folder", "dataset.path=photos"])
    assert "photos/train/dog/2.jpg   is not a readable image: no known image format" in said


# ---- the Hub


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As HF_HUB_OFFLINE=1, with nothing in the cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")


@pytest.mark.usefixtures("offline")
def test_model_that_cannot_be_reached(told):
    said = told("model.name_or_path=nobody/nothing")
    assert "the Hub cannot be reached and the cache does not hold nobody/nothing" in said
    assert "hf download nobody/nothing" in said


@pytest.mark.usefixtures("offline")
def test_dataset_that_cannot_be_reached(told):
    said = told.of(["dataset=sst2"])
    assert "nyu-mll/glue (sst2) is not in the cache and the Hub cannot be reached" in said
    assert "dataset=files" in said


# ---- the run directory and the disk


def test_folder_that_is_no_run(told):
    Path("outputs/default/x").mkdir(parents=True)
    Path("outputs/default/x/thesis.tex").touch()
    said = told("run.name=x")
    assert "holds thesis.tex but no run.json: not a run's folder; set run.name" in said
    assert "run.overwrite=true does not delete it" in told("run.name=x", "run.overwrite=true")
    assert Path("outputs/default/x/thesis.tex").exists()


def test_file_where_the_folder_should_be(told):
    Path("outputs").touch()
    assert "cannot be written (Not a directory); set run.output_dir" in told()


def test_folder_that_cannot_be_written(told):
    if not Path("/proc").is_dir():
        pytest.skip("permissions do not bind root, and this system has no folder that does")
    said = told("run.output_dir=/proc/x")
    assert "/proc/x/default" in said
    assert "); set run.output_dir to a folder that can" in said


def test_run_of_another_configuration(told, bert):
    told("run.name=x", "dataset.rows.train=17")  # begins, and stops at its mistake
    said = told("run.name=x", "hyperparameters.learning_rate=1")
    assert "was made with another configuration (hyperparameters.learning_rate: 5e-05 → 1.0" in said, "both have it"
    assert "dataset.rows.train: 17 → not set" in said
    assert "another run.name, or run.overwrite=true" in said


def test_too_little_space_is_told_before_training(told, monkeypatch):
    usage = shutil.disk_usage(".")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    said = told()
    assert "0 MB free, and one checkpoint of this model takes about" in said
    assert "Free some space or set run.output_dir" in said


def test_disk_that_fills_up(told, bert, tmp_path):
    """A real one: a mount of 1 MiB, too small for the second checkpoint, private to the command."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("mounting is not permitted here")
    Path("train.csv").write_text(GOOD)
    disk = tmp_path / "disk"
    disk.mkdir()
    overrides = [
        "dataset=files", "dataset.train=train.csv", "dataset.validation=train.csv", "task.max_length=16",
        "model=auto", f"model.name_or_path={bert}", *TINY, "hyperparameters.max_steps=4",
        "hyperparameters.eval_strategy=steps", "hyperparameters.eval_steps=1", "runtime.save_total_limit=9",
        f"run.output_dir={disk}",
    ]  # fmt: skip
    script = 'mount -t tmpfs -o size=1200k tmpfs "$1" || exit 77; shift; exec "$@"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", str(disk), sys.executable, str(ROOT / "run.py"), *overrides],
        capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    if done.returncode == 77:
        pytest.skip("mounting is not permitted here")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "is full; checkpoint-" in done.stderr
    assert "Free some space and repeat the same command" in done.stderr


# ---- the model and its training


def test_more_tokens_than_positions(told):
    assert "task.max_length" in (said := told("task.max_length=65"))
    assert "at most 64" in said


def test_more_layers_than_there_are(told):
    said = told("freezing=first_n", "freezing.n=9")
    assert "freezing.n" in said
    assert "this model has 4 layers: layer 0 to layer 3; n is 0 to 4, not 9" in said


def test_pattern_that_matches_nothing(told):
    said = told("freezing=patterns", "freezing.rules=[{pattern: classifer, train: true}]", "freezing.default=freeze")
    assert "classifer   matches no parameter; nearest: classifier" in said


def test_head_that_is_not_the_declared_one(told):
    assert "model.head" in told("model.head=[score]")


def test_setting_that_the_architecture_lacks(told):
    said = told.of(
        ["task=image_classification", "model=resnet_small", "dataset=digits", "model.config.depth=[1]", *TINY]
    )
    assert "model.config.depth   resnet has no such setting; did you mean depths?" in said


def test_weights_that_are_not_finite(told, bert, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(bert, broken)
    weights = load_file(broken / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][:] = float("inf")
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    said = told(f"model.name_or_path={broken}")
    assert "step 1   the loss is nan on training rows 0, 1, 2," in said


def test_rate_that_leads_to_nan(told):
    said = told("hyperparameters.learning_rate=1e30", "hyperparameters.warmup_steps=0", "hyperparameters.max_steps=9")
    assert "the loss is " in said
    assert "on training rows" in said
    assert "lower hyperparameters.learning_rate (the base rate is 1e+30)" in said


def test_batch_that_the_processes_cannot_share(capsys):
    with pytest.raises(SystemExit) as stopped, telling_mistakes():
        batch_layout(32, 8, processes=3)
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "effective_batch_size" in said
    assert "30" in said
    assert "33" in said
