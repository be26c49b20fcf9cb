"""A run's name follows from what shapes the model alone, and a frozen recipe repeats the run."""

from __future__ import annotations

import pytest

from tunebook.check import check
from tunebook.config import identity
from tunebook.config.compose import compose
from tunebook.run_directory import path_of


def config(*arguments):
    return check(compose([*arguments]))


def test_what_does_not_shape_the_model(recipe):
    recipe("defaults:\n  - override /model: minilm\nhyperparameters: {seed: 42}\nruntime: {logging_steps: 1}\n")
    plain = identity.fingerprint(config())
    for said in (
        ["runtime=cpu"],
        ["runtime.precision=bf16", "runtime.per_device_eval_batch_size=3"],
        ["run.name=x", "run.recipe=y", "run.output_dir=/tmp/z", "run.overwrite=true"],
        ["hyperparameters.learning_rate=5.0e-5"],
        ["+recipe=./mine.yaml"],
    ):
        assert identity.fingerprint(config(*said)) == plain


def test_what_shapes_the_model():
    said = [
        "hyperparameters.learning_rate=5.1e-5", "hyperparameters.seed=1", "hyperparameters.adam_beta1=0.8",
        "task.max_length=99", "freezing=last_n", "freezing=first_n", "model.revision=other", "dataset.max_rows.train=9",
    ]  # fmt: skip
    found = {identity.fingerprint(config(text)) for text in said}
    assert len(found | {identity.fingerprint(config())}) == len(said) + 1


def test_the_name_says_the_seed():
    wanted = config("hyperparameters.seed=7")
    assert identity.run_name(wanted) == f"seed7-{identity.fingerprint(wanted)[:8]}"
    assert identity.run_name(config("run.name=mine")) == "mine"


FROZEN = {
    "text": ["+recipe=bert_sentiment", "hyperparameters.early_stopping_patience=2", "runtime=gpu"],
    "images from scratch": ["+recipe=image_digits", "freezing=head_only"],
    "files": [
        "dataset=files", "dataset.train=a.csv", "dataset.columns={text: review}", "dataset.split.validation=0.1",
        "dataset.labels=[a,b]", "dataset.licence='mine: #1, 100 % {free}'", "dataset.max_rows.train=5",
    ],
    "folder of images": ["+recipe=vit_images", "dataset.path=photos", "runtime.save_strategy=epoch"],
    "rules": [
        "freezing=patterns",
        r"freezing.rules=[{pattern: 'layer\.(0|1)\.', train: false}, {pattern: 's$', train: true}]",
    ],
    "Hub": ["+recipe=bert_sst2", "hyperparameters.eval_strategy='no'", "hyperparameters.load_best_model_at_end=false"],
    "mappings": [
        "hyperparameters.lr_scheduler_type=cosine_with_min_lr", "hyperparameters.lr_scheduler_kwargs={min_lr: 1e-6}"
    ],
}  # fmt: skip


@pytest.mark.parametrize("said", FROZEN.values(), ids=FROZEN)
def test_a_frozen_recipe_is_the_same_run(said, here):
    (here / "a.csv").write_text("review,label\nx,a\n")
    (here / "photos" / "cat").mkdir(parents=True)
    (here / "photos" / "cat" / "1.png").touch()
    before = config(*said)
    (here / "recipe.yaml").write_text(identity.frozen_recipe(before, "float32", "the command\nof two lines"))
    after = config("+recipe=./recipe.yaml")
    assert identity.fingerprint(after) == identity.fingerprint(before)
    assert path_of(after) == path_of(before)
    assert after.runtime.precision == "float32"
    frozen = identity.content(before)
    frozen["runtime"]["precision"] = "float32"
    frozen["run"] |= {"name": identity.run_name(before)}
    assert identity.content(after) == frozen
    again = identity.frozen_recipe(after, "float32", "the command of two lines")
    assert again == (here / "recipe.yaml").read_text()


def test_a_frozen_recipe_does_not_delete_the_run_it_came_from(here):
    (here / "recipe.yaml").write_text(identity.frozen_recipe(config("run.overwrite=true"), "bf16", "x"))
    assert config("+recipe=./recipe.yaml").run.overwrite is False


def test_differences_are_named():
    before, after = (identity.content(config(text)) for text in ("hyperparameters.seed=1", "freezing=last_n"))
    assert identity.differences(before, after) == [
        "freezing.policy: none → last_n",
        "hyperparameters.seed: 1 → 42",
        "freezing.n: not set → 2",
    ]
    assert identity.differences(before, before) == []
