"""The JSON Schema that editors read fits every shipped recipe and refuses what the check refuses."""

from __future__ import annotations

import copy
import json

import pytest
import yaml
from jsonschema import Draft202012Validator

from tunebook.check import check
from tunebook.config import folders, identity, json_schema
from tunebook.config.compose import compose

SCHEMA = json_schema.recipe_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def test_it_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", folders.recipe_names())
def test_shipped_recipes_fit(name):
    VALIDATOR.validate(yaml.safe_load(folders.find_recipe(name).read_text()))


def test_a_frozen_recipe_fits():
    VALIDATOR.validate(yaml.safe_load(identity.frozen_recipe(check(compose([])), "bf16", "x")))


@pytest.mark.parametrize(
    "change",
    [
        {"hyperparameters": {"lerning_rate": 1}},
        {"hyperparameters": {"learning_rate": "fast"}},
        {"hyperparameters": {"learning_rate": -1}},
        {"hyperparameters": {"logging_steps": 1}},
        {"runtime": {"precision": "bf17"}},
        {"dataset": {"split": {"valdation": 0.1}}},
        {"dataset": {"source": "file"}},
        {"task": {"max_lenght": 9}},
        {"modle": {}},
        {"model": "bert_base"},
        {"defaults": [{"override /model": "minilmm"}]},
        {"defaults": [{"override /modle": "minilm"}]},
        {"defaults": ["bert_sentiment"]},
    ],
    ids=str,
)
def test_mistakes_are_refused(change):
    good = yaml.safe_load(folders.find_recipe("bert_sentiment").read_text())
    wrong = copy.deepcopy(good) | change
    assert not VALIDATOR.is_valid(wrong)


@pytest.mark.parametrize(
    "content",
    [
        {"hyperparameters": {"eval_strategy": "no", "warmup_steps": 0.1}},
        {"hyperparameters": {"early_stopping_patience": None}},
        {"freezing": {"rules": [{"pattern": "x", "train": True}]}},
        {"dataset": {"train": ["a.csv", "b.csv"], "columns": {"text": "review"}}},
    ],
    ids=str,
)
def test_good_ones_fit(content):
    VALIDATOR.validate(content)


def test_the_file_for_editors_is_up_to_date():
    written = json.loads((folders.conf_folder() / "recipe.schema.json").read_text())
    assert written == json.loads(json.dumps(SCHEMA)), "run: python scripts/recipes.py schema"
