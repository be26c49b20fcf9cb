"""What a user reads: every problem in one table, the nearest name, and errors that Python knows too."""

from __future__ import annotations

import doctest
import inspect

import pytest

from tunebook import errors
from tunebook.errors import ConfigurationError, Problem, TunebookError, did_you_mean

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, TunebookError)]


def test_problems_stand_in_columns():
    error = ConfigurationError(
        [Problem("a.long.key", "unknown", "command line"), Problem("b", "missing"), Problem("c", "bad", "x.yaml:7")]
    )
    assert str(error).splitlines() == [
        "3 problems in this configuration:",
        "  a.long.key   (command line)   unknown",
        "  b                             missing",
        "  c            (x.yaml:7)       bad",
    ]


def test_one_sentence_is_enough():
    assert str(ConfigurationError("no")) == "1 problem in this configuration:\n  no"
    assert str(ConfigurationError(Problem("k", "no"), "this recipe")) == "1 problem in this recipe:\n  k   no"


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_ends_with_two(kind):
    error = kind("what is wrong")
    assert error.exit_code == 2
    assert str(error).endswith("what is wrong")
    assert error.problems == [Problem("", "what is wrong")]


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [("ConfigurationError", ValueError), ("DataError", ValueError), ("DataFileMissing", FileNotFoundError),
     ("ModelError", ValueError), ("FreezingError", ValueError), ("RunDirectoryError", OSError),
     ("TrainingDiverged", ArithmeticError), ("NothingReached", ConnectionError)],
)  # fmt: skip
def test_python_knows_them_too(kind, builtin):
    assert issubclass(getattr(errors, kind), builtin)
    assert kind in (errors.__doc__ or "")
    assert len(KINDS) == 9


@pytest.mark.parametrize(
    ("name", "allowed", "said"),
    [
        ("lerning_rate", ["learning_rate", "seed"], "did you mean learning_rate?"),
        ("Learning_Rate", ["learning_rate", "seed"], "did you mean learning_rate?"),
        ("adamw", ["adamw_torch_fused", "adamw_torch", "grokadamw"], "did you mean adamw_torch or adamw_torch_fused?"),
        ("xyz", ["b", "a"], "allowed: a, b"),
        ("", ["b", "a"], "allowed: a, b"),
        ("xyz", [], "none is allowed"),
    ],
)
def test_nearest_names(name, allowed, said):
    assert did_you_mean(name, allowed) == said


def test_long_lists_are_cut():
    assert did_you_mean("?", [f"n{at:02}" for at in range(30)]).endswith("n19, … (30 in all)")


def test_the_examples_hold():
    assert doctest.testmod(errors).failed == 0
