"""Groups, a recipe and overrides become one configuration, the later ones winning."""

from __future__ import annotations

import pytest

from tunebook.check import check
from tunebook.config import schema
from tunebook.config.compose import compose
from tunebook.errors import ConfigurationError


def test_the_defaults():
    composed = compose([])
    assert composed.content["model"]["name_or_path"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert composed.content["run"]["recipe"] == "default"
    assert set(composed.content) == {*schema.NAMED, *schema.PLAIN}
    assert len(composed.content) == 14


def test_a_recipe_sets_what_differs():
    content = compose(["+recipe=image_digits"]).content
    assert content["model"]["config"]["model_type"] == "resnet"
    assert content["hyperparameters"]["train_sampling_strategy"] == "random"
    assert content["hyperparameters"]["warmup_steps"] == compose([]).content["hyperparameters"]["warmup_steps"]
    assert content["run"]["recipe"] == "image_digits"


def test_the_command_line_overrides_the_recipe(recipe):
    recipe("defaults:\n  - override /freezing: last_n\nhyperparameters: {seed: 3, weight_decay: 0.5}\n")
    content = compose(["+recipe=./mine.yaml", "freezing=first_n", "freezing.n=1", "hyperparameters.seed=4"]).content
    assert content["freezing"] == {"policy": "first_n", "n": 1}
    assert (content["hyperparameters"]["seed"], content["hyperparameters"]["weight_decay"]) == (4, 0.5)
    assert compose(["+recipe=./mine.yaml"]).content["freezing"] == {"policy": "last_n", "n": 2}


def test_a_recipe_beats_the_group_that_it_names(recipe):
    recipe("defaults:\n  - override /hyperparameters: few_shot\nhyperparameters: {num_train_epochs: 9}\n")
    wanted = compose(["+recipe=./mine.yaml"]).content["hyperparameters"]
    assert (wanted["num_train_epochs"], wanted["effective_batch_size"]) == (9, 16)


@pytest.mark.parametrize(
    "name", ["./mine", "./mine.yaml", "{here}/mine.yaml", "'./my own.yaml'", "../{name}/mine.yaml"]
)
def test_a_recipe_by_its_path(recipe, here, name):
    recipe("run: {output_dir: there}\n")
    recipe("run: {output_dir: there}\n", "my own.yaml")
    content = compose([f"+recipe={name.format(here=here, name=here.name)}"]).content
    assert content["run"]["output_dir"] == "there"
    assert content["run"]["recipe"] in {"mine", "my-own"}


def test_folders_of_ones_own_come_first(recipe, here, monkeypatch):
    recipe("run: {output_dir: a}\n", "a/bert_sentiment.yaml")
    recipe("run: {output_dir: b}\n", "b/sub/deep.yaml")
    monkeypatch.setenv("TUNEBOOK_RECIPES", f"{here / 'a'}:{here / 'b'}")
    assert compose(["+recipe=bert_sentiment"]).content["run"]["output_dir"] == "a"
    deep = compose(["+recipe=sub/deep"]).content["run"]
    assert (deep["output_dir"], deep["recipe"]) == ("b", "sub/deep")
    assert compose(["+recipe=image_digits"]).content["run"]["recipe"] == "image_digits"


def test_references_are_resolved():
    content = compose(["run.name=seed-${hyperparameters.seed}"]).content
    assert content["run"]["name"] == "seed-42"


def test_keys_that_conf_does_not_set():
    assert compose(["hyperparameters.adam_beta1=0.8"]).content["hyperparameters"]["adam_beta1"] == 0.8


def test_a_bad_recipe_is_not_composed(recipe):
    recipe("model: {_target_: os.system}\n")
    with pytest.raises(ConfigurationError, match="never names code"):
        compose(["+recipe=./mine.yaml"])


def test_a_mistake_in_the_arguments_is_kept():
    composed = compose(["model=x", "hyperparameters.seed=1,2"])
    assert [problem.key for problem in composed.problems] == ["model=x", "hyperparameters.seed=1,2"]
    with pytest.raises(ConfigurationError, match="2 problems"):
        check(composed)


def test_composing_leaves_hydra_as_it_was():
    from hydra.core.global_hydra import GlobalHydra

    compose([])
    assert not GlobalHydra.instance().is_initialized()
