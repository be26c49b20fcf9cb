"""Hydra sees the recipes, from every folder, wherever it lists or shows things."""

from __future__ import annotations

import pytest
from hydra.core.object_type import ObjectType

from tests.commands import typed
from tunebook.config.recipe_source import RecipeSource


@pytest.fixture
def source(recipe, here, monkeypatch):
    recipe("run: {name: x}\n", "own/mine.yaml")
    recipe("run: {name: x}\n", "own/sub/deep.yaml")
    monkeypatch.setenv("TUNEBOOK_RECIPES", str(here / "own"))
    return RecipeSource("tunebook", "recipes://")


def test_what_is_listed(source):
    assert source.list("", None) == ["recipe"]
    assert source.list("", ObjectType.CONFIG) == []
    configs = source.list("recipe", ObjectType.CONFIG)
    assert {"mine", "bert_sentiment"} <= set(configs)
    assert "sub" not in configs
    assert source.list("recipe", ObjectType.GROUP) == ["sub"]
    assert source.list("recipe/sub", None) == ["deep"]


def test_what_is_a_group(source):
    found = {name: source.is_group(name) for name in ("", "recipe", "recipe/sub", "recipe/mine", "recipe/./x", "model")}
    assert [name for name, yes in found.items() if yes] == ["", "recipe", "recipe/sub"]


def test_what_is_a_recipe(source, here):
    names = ["recipe/mine", "recipe/sub/deep", "recipe/./own/mine.yaml", f"recipe/{here}/own/mine.yaml"]
    assert all(source.is_config(name) for name in names)
    assert not any(source.is_config(name) for name in ("mine", "recipe/other", "recipe/../own/x", "model/minilm"))


def test_help_shows_groups_and_recipes():
    outcome = typed([{"arguments": ["--help"]}])[0]
    assert (outcome["code"], outcome["imported"]) == (0, [])
    assert "recipe: bert_mrpc, bert_ner, bert_sentiment" in outcome["output"]
    assert "model: auto, bart_base, bert_base" in outcome["output"]


def test_cfg_shows_what_would_run():
    shown, nothing, both = typed(
        [
            {"arguments": ["+recipe=image_digits", "hyperparameters.seed=7", "--cfg", "job"]},
            {"arguments": ["--cfg", "job", "--package", "runtime"]},
            {"arguments": ["--cfg", "job", "-m", "hyperparameters.seed=1,2"]},
        ]
    )
    assert (shown["code"], shown["imported"]) == (0, [])
    assert "model_type: resnet" in shown["output"]
    assert "seed: 7" in shown["output"]
    assert nothing["output"].startswith("# @package runtime\nprecision: auto")
    assert both["code"] == 2
    assert "--multirun and --cfg" in both["output"]
