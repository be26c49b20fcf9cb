"""Arguments of a command: read as Hydra does, with every mistake told, and made plain."""

from __future__ import annotations

import pytest

from tunebook.config import overrides


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ("hyperparameters.seed=1", "++hyperparameters.seed=1"),
        ("+hyperparameters.seed=1", "++hyperparameters.seed=1"),
        ("++hyperparameters.seed=1", "++hyperparameters.seed=1"),
        ("run.name='a, b'", "++run.name='a, b'"),
        ("~run.name", "~run.name"),
        ("model=bert_base", "model=bert_base"),
        ("+recipe=bert_sentiment", "+recipe=bert_sentiment"),
        ("hydra.verbose=true", "hydra.verbose=true"),
    ],
)
def test_plain_forms(said, plain):
    read = overrides.read([said])
    assert (read.plain, read.problems) == ((plain,), ())


def test_what_is_read():
    read = overrides.read(["+recipe=bert_sentiment", "model=minilm", "run.name=x", "dataset.split={test: 0.1}"])
    assert read.recipe == "bert_sentiment"
    assert read.keys == ("run.name", "dataset.split")


def test_mistakes_are_gathered_and_left_out():
    read = overrides.read(["model=x", "run.name={", "hyperparameters.seed=1", "recipe=y"])
    assert read.plain == ("++hyperparameters.seed=1",)
    assert [problem.key for problem in read.problems] == ["model=x", "run.name={", "recipe=y"]


def test_combinations_of_sweeps():
    read = overrides.read(["+recipe=bert_sentiment,image_digits", "hyperparameters.seed=1,2", "run.overwrite=true"])
    assert read.recipe is None
    assert list(overrides.combinations(read.plain)) == [
        [f"+recipe={recipe}", f"++hyperparameters.seed={seed}", "++run.overwrite=true"]
        for recipe in ("bert_sentiment", "image_digits")
        for seed in (1, 2)
    ]


def test_ranges_are_sweeps_too():
    read = overrides.read(["hyperparameters.seed=range(1,4)"])
    assert [seed for [seed] in overrides.combinations(read.plain)] == [f"++hyperparameters.seed={n}" for n in (1, 2, 3)]


def test_one_run_takes_no_sweep():
    read = overrides.read(["hyperparameters.seed=1,2", "run.name=x"]).without_sweeps()
    assert read.plain == ("++run.name=x",)
    assert [problem.key for problem in read.problems] == ["hyperparameters.seed=1,2"]
