"""A composed configuration becomes typed objects."""

from __future__ import annotations

import math

import pytest

from tunebook.check import check
from tunebook.config import check as config_check
from tunebook.config.compose import compose
from tunebook.config.data_groups import SplitConfig
from tunebook.config.schema import Hyperparameters, Runtime
from tunebook.errors import ConfigurationError


def test_typed_objects():
    config = check(compose(["task.max_length=99", "freezing=last_n"]))
    assert config.task.options.max_length == 99
    assert config.freezing.options.n == 2
    assert config.dataset.split == SplitConfig()
    assert isinstance(config.hyperparameters, Hyperparameters)
    assert isinstance(config.runtime, Runtime)


def test_training_arguments_hold_what_was_said():
    said = check(compose(["hyperparameters.adam_beta1=0.8", "runtime.logging_steps=7"])).training_arguments()
    assert (said["adam_beta1"], said["logging_steps"], said["learning_rate"]) == (0.8, 7, 5e-5)
    assert not {"effective_batch_size", "precision", "adam_beta2", "early_stopping_patience"} & set(said)


@pytest.mark.parametrize("word", ["no", "'no'", "false"])
def test_no_is_a_word(word):
    read = check(compose([f"hyperparameters.eval_strategy={word}", "hyperparameters.load_best_model_at_end=false"]))
    assert read.hyperparameters.eval_strategy == "no"


def test_null_stands_for_the_default():
    config = check(compose(["hyperparameters.seed=null", "dataset.split=null", "hyperparameters.learning_rate=null"]))
    assert config.hyperparameters.seed == 42
    assert config.dataset.split.seed == 42
    assert "learning_rate" not in config.training_arguments()


def test_whole_numbers_and_shares_of_warming_up():
    assert check(compose(["hyperparameters.warmup_steps=10"])).hyperparameters.warmup_steps == 10
    assert check(compose(["hyperparameters.warmup_steps=0.2"])).hyperparameters.warmup_steps == 0.2


@pytest.mark.parametrize("value", [math.nan, math.inf, True])
def test_numbers_that_are_none(value):
    with pytest.raises(ValueError, match="number"):
        Hyperparameters(learning_rate=value)


def test_a_group_that_cannot_be_used_is_none():
    config, problems = config_check.check(compose(["hyperparameters.lerning_rate=1", "freezing.polcy=none"]))
    assert (config.hyperparameters, config.freezing) == (None, None)
    assert config.dataset is not None
    assert [problem.key for problem in problems] == ["freezing.polcy", "hyperparameters.lerning_rate"]


def test_known_keys_are_of_every_group():
    keys = config_check.known_keys()
    assert {"task.max_length", "dataset.train", "freezing.n", "model.head", "run.name"} <= keys
    assert {"hyperparameters.seed", "runtime.precision"} <= keys


def test_a_group_must_be_there():
    composed = compose([])
    del composed.content["freezing"]
    with pytest.raises(ConfigurationError, match="freezing"):
        check(composed)
