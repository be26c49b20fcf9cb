"""A problem is told with the line that caused it."""

from __future__ import annotations

import pytest

from tunebook.config.compose import compose
from tunebook.config.places import Places, line_of

MINE = """# a comment
hyperparameters:
  seed: 3

  learning_rate: 1.0
dataset.split: {seed: 1}
freezing:
  rules:
    - {pattern: x, train: true}
"""


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("hyperparameters", 3),
        ("hyperparameters.seed", 4),
        ("hyperparameters.learning_rate", 6),
        ("hyperparameters.weight_decay", None),
        ("dataset.split.seed", 7),
        ("freezing.rules.0.pattern", 9),
        ("model", None),
    ],
)
def test_lines_are_counted_from_one(recipe, key, line):
    assert line_of(recipe(MINE), key) == line


def test_the_strongest_place_is_told(recipe):
    recipe("hyperparameters:\n  seed: 3\n  learning_rate: 1.0\n")
    places = compose(["+recipe=./mine.yaml", "hyperparameters.seed=4", "hyperparameters=quick"]).places
    assert places.of("hyperparameters.seed") == "command line"
    assert places.of("hyperparameters.learning_rate") == "mine.yaml:4"
    assert places.of("hyperparameters.max_steps") == "conf/hyperparameters/quick.yaml:6"
    assert places.of("hyperparameters.weight_decay") == "conf/hyperparameters/default.yaml:7"
    assert places.of("hyperparameters.adam_beta1") == ""
    assert places.of("run.name") == ""


def test_parts_and_wholes_of_what_was_said():
    places = Places(typed=("dataset.split", "dataset.columns.text"))
    assert places.of("dataset.split.validation") == "command line"
    assert places.of("dataset.columns") == "command line"
    assert places.of("dataset.columns.text='x'") == "command line"
    assert places.of("dataset.columns.label") == ""
    assert places.of("dataset.splits") == ""
