"""Learning rates, schedules and optimizers that cannot be combined are told from the configuration alone."""

import ast
import inspect
import typing
from pathlib import Path

import pytest
import transformers.optimization
import yaml
from torch.optim.lr_scheduler import ReduceLROnPlateau

from tunebook.check import check, hints
from tunebook.config.compose import compose
from tunebook.config.training_fields import training_fields
from tunebook.errors import ConfigurationError
from tunebook.training import problems
from tunebook.training.schedule_options import options_of

ROOT = Path(__file__).parents[2]


def told(*overrides):
    with pytest.raises(ConfigurationError) as error:
        check(compose([f"hyperparameters.{text}" for text in overrides]))
    return {problem.key.removeprefix("hyperparameters."): problem.message for problem in error.value.problems}


def fine(*overrides):
    return check(compose([f"hyperparameters.{text}" for text in overrides]))


def test_a_decay_and_a_slice_are_two_ways_to_say_it():
    assert "layer_lr_decay=0.9" in told("layer_lr_decay=0.9", "lowest_learning_rate=1e-6")["lowest_learning_rate"]


def test_a_lowest_rate_above_the_highest():
    found = told("learning_rate=1e-5", "lowest_learning_rate=1e-4")
    assert found == {"lowest_learning_rate": "is the embeddings' and must be at most learning_rate=1e-05, not 0.0001"}
    assert fine("learning_rate=1e-4", "lowest_learning_rate=1e-4")


def test_a_pattern_that_is_no_expression():
    found = told("learning_rates=[{pattern: fine, learning_rate: 1}, {pattern: '(', learning_rate: 1}]")
    assert list(found) == ["learning_rates.1.pattern"]


@pytest.mark.parametrize("optim", ["galore_adamw", "apollo_adamw", "adalomo"])
def test_optimizers_with_groups_of_their_own(optim):
    said = ["layer_lr_decay=0.9", "learning_rates=[{pattern: a, learning_rate: 1}]", "decay_norms_and_biases=true"]
    found = told(f"optim={optim}", *said)
    assert {"layer_lr_decay", "learning_rates", "decay_norms_and_biases"} <= found.keys()
    assert f"optim={optim}" in found["layer_lr_decay"]


@pytest.mark.parametrize(
    ("name", "options", "key", "words"),
    [
        ("one_cycle", "{pct_strat: 0.3}", "pct_strat", "did you mean pct_start?"),
        ("one_cycle", "{moms: [0.9, 0.8]}", "moms", "at least 3 items"),
        ("one_cycle", "{div: 0.5}", "div", "at least 1"),
        ("slanted_triangular", "{cut_frac: 1}", "cut_frac", "less than 1"),
        ("slanted_triangular", "{pct_start: 0.1}", "pct_start", "allowed: cut_frac, ratio"),
        ("cosine", "{n_cycles: 1}", "n_cycles", "did you mean num_cycles?"),
        ("linear", "{power: 2}", "power", "linear has no options"),
        ("warmup_stable_decay", "{}", "num_decay_steps", "must be given"),
    ],
)
def test_options_that_a_schedule_does_not_have(name, options, key, words):
    found = told(f"lr_scheduler_type={name}", f"lr_scheduler_kwargs={options}")
    assert words in found[f"lr_scheduler_kwargs.{key}"]


def test_a_schedule_that_nobody_knows():
    assert "did you mean one_cycle?" in told("lr_scheduler_type=one_cylce")["lr_scheduler_type"]


def test_our_own_schedules_bring_their_rise():
    found = told("lr_scheduler_type=one_cycle", "warmup_steps=0.2")
    assert "hyperparameters.lr_scheduler_kwargs.pct_start=0.2" in found["warmup_steps"]
    found = told("lr_scheduler_type=slanted_triangular", "warmup_steps=50")
    assert "cut_frac=SHARE" in found["warmup_steps"]


def test_the_default_warm_up_is_told_to_be_unused():
    config = fine("lr_scheduler_type=one_cycle", "lr_scheduler_kwargs={pct_start: 0.4}")
    [sentence] = hints(config)
    assert "warmup_steps=0.1 is not used: the rate rises over the first 40 %" in sentence
    [sentence] = hints(fine("lr_scheduler_type=constant"))
    assert "constant_with_warmup has one" in sentence
    assert hints(fine("lr_scheduler_type=one_cycle", "warmup_steps=0")) == []
    assert hints(fine()) == []


def test_the_default_that_is_taken_for_nobodys_wish_is_the_default():
    default = yaml.safe_load((ROOT / "conf/hyperparameters/default.yaml").read_text())
    assert default["warmup_steps"] == problems.DEFAULT_WARMUP
    assert transformers.TrainingArguments.learning_rate == problems.DEFAULT_RATE


def test_a_momentum_that_one_cycle_moves():
    assert "moms=null" in told("lr_scheduler_type=one_cycle", "adam_beta1=0.8")["adam_beta1"]
    assert fine("lr_scheduler_type=one_cycle", "adam_beta1=0.8", "lr_scheduler_kwargs={moms: null}")


def test_a_schedule_by_the_metric_needs_evaluations():
    said = ["eval_strategy='no'", "load_best_model_at_end=false", "lr_scheduler_type=greedy"]
    assert "eval_strategy=epoch" in told(*said)["lr_scheduler_type"]


@pytest.mark.parametrize("name", typing.get_args(training_fields()["lr_scheduler_type"].type))
def test_the_options_are_those_of_the_installed_library(name):
    makes = transformers.optimization.TYPE_TO_SCHEDULER_FUNCTION[transformers.SchedulerType(name)]
    classes = {"reduce_lr_on_plateau": ReduceLROnPlateau, "greedy": transformers.optimization.GreedyLR}
    parameters = inspect.signature(classes.get(name, makes)).parameters
    given = {"optimizer", "num_warmup_steps", "num_training_steps", "last_epoch"}
    expected = {key: value.default is inspect.Parameter.empty for key, value in parameters.items() if key not in given}
    assert options_of(name) == expected


def test_reading_them_imports_no_library():
    for module in ("schedule_options", "problems"):
        tree = ast.parse((ROOT / f"src/tunebook/training/{module}.py").read_text())
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not {"torch", "transformers"} & {str(name).split(".")[0] for name in imported}
