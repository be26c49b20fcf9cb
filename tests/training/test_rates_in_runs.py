"""Rates and schedules in whole runs: names, logged figures, resuming to the bit."""

import json
import os
import signal
import typing

import pytest
from safetensors.torch import load_file

from tests.contexts import context_of, trainer_of
from tests.runs import go, six_steps
from tunebook.config.schema import Scheduler
from tunebook.errors import ConfigurationError
from tunebook.training import callbacks
from tunebook.training.trainer import RecipeTrainer


@pytest.fixture(scope="module")
def overrides(tmp_path_factory):
    """Six steps an epoch, the first logged."""
    return six_steps(
        tmp_path_factory.mktemp("model"),
        "run.audit=false",
        "runtime.logging_steps=1",
        "hyperparameters.num_train_epochs=2",
    )


def logged(result):
    entries = map(json.loads, (result.path / "history.jsonl").read_text().splitlines())
    return [entry["learning_rate"] for entry in entries if "learning_rate" in entry]


OPTIONS = {"warmup_stable_decay": "{num_decay_steps: 2}", "cosine_with_min_lr": "{min_lr: 1e-5}",
           "cosine_warmup_with_min_lr": "{min_lr_rate: 0.1}"}  # fmt: skip


@pytest.fixture(scope="module")
def loaded():
    """Data and parts by freezing policy; each training goes on with the weights of the one before."""
    return {}


@pytest.fixture
def trained(overrides, loaded, tmp_path):
    """What the Trainer logs of the learning rate, without the evaluations and the report that come after training."""

    def train(*further):
        context = context_of(tmp_path, *overrides, *further)
        policy = context.config.freezing.policy
        if policy in loaded:  # the model goes on with the weights of the training before
            context.model.load_state_dict(loaded[policy].state_dict())
        loaded[policy] = context.model
        trainer = trainer_of(context)
        trainer.train()
        return [entry["learning_rate"] for entry in trainer.state.log_history if "learning_rate" in entry]

    return train


@pytest.mark.parametrize("name", typing.get_args(Scheduler))
def test_every_schedule_runs(trained, name):
    said = [f"hyperparameters.lr_scheduler_type={name}", "hyperparameters.layer_lr_decay=0.5",
            "hyperparameters.warmup_steps=0.1", "hyperparameters.max_steps=8"]  # fmt: skip
    if name in OPTIONS:
        said.append(f"hyperparameters.lr_scheduler_kwargs={OPTIONS[name]}")
    rates = trained(*said)
    assert len(rates) == 8
    # The head's, not the embeddings' 3 % of it that come first in the optimizer.
    assert max(rates) == pytest.approx(1e-3)


def test_the_log_tells_the_rate_of_each_phase(trained):
    said = ["freezing=head_then_all", "freezing.head_epochs=1", "freezing.head_learning_rate=4e-3",
            "hyperparameters.lr_scheduler_type=slanted_triangular", "hyperparameters.lowest_learning_rate=1e-5",
            "hyperparameters.lr_scheduler_kwargs={cut_frac: 0.5}"]  # fmt: skip
    rates = trained(*said)
    triangle = [(1 + p * 31) / 32 for p in (0, 1 / 3, 2 / 3, 1, 2 / 3, 1 / 3)]
    assert rates == pytest.approx([4e-3 * p for p in triangle] + [1e-3 * p for p in triangle])


@pytest.mark.parametrize(("step", "slower"), [(0.1, False), (0.0, True)], ids=["rising", "standing still"])
def test_a_schedule_by_the_metric_knows_which_way_is_better(trained, monkeypatch, step, slower):
    evaluate = RecipeTrainer.evaluate

    def scripted(self, *args, **kwargs):
        return evaluate(self, *args, **kwargs) | {"eval_accuracy": step * self.state.epoch}

    monkeypatch.setattr(RecipeTrainer, "evaluate", scripted)
    rates = trained(
        "hyperparameters.lr_scheduler_type=reduce_lr_on_plateau",
        "hyperparameters.lr_scheduler_kwargs={patience: 0, factor: 0.5}", "hyperparameters.num_train_epochs=3",
    )  # fmt: skip
    assert rates == pytest.approx([1e-3] * 12 + [5e-4 if slower else 1e-3] * 6)


CASES = {
    "one_cycle": ["hyperparameters.lr_scheduler_type=one_cycle", "hyperparameters.layer_lr_decay=0.7"],
    "phases": ["hyperparameters.lr_scheduler_type=one_cycle", "hyperparameters.lowest_learning_rate=1e-5",
               "freezing=head_then_all", "freezing.head_steps=5",
               "hyperparameters.learning_rates=[{pattern: query, learning_rate: 5e-4}]"],
    "plateau": ["hyperparameters.lr_scheduler_type=reduce_lr_on_plateau", "hyperparameters.layer_lr_decay=0.7",
                "hyperparameters.eval_strategy=steps", "hyperparameters.eval_steps=2",
                "hyperparameters.lr_scheduler_kwargs={patience: 0, factor: 0.5}"],
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_run_that_is_cut_off_ends_with_the_weights_of_one_that_is_not(overrides, tmp_path, monkeypatch, case):
    said = [*overrides, *CASES[case]]
    whole = go(tmp_path / "whole", *said)
    vote = callbacks.StopSync.on_pre_optimizer_step

    def with_signal(self, args, state, control, **kwargs):
        if state.global_step + 1 == 8:
            os.kill(os.getpid(), signal.SIGTERM)
        return vote(self, args, state, control, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.StopSync, "on_pre_optimizer_step", with_signal)
        with pytest.raises(SystemExit):
            go(tmp_path / "cut", *said)
    cut = go(tmp_path / "cut", *said)
    assert json.loads((cut.path / "run.json").read_text())["resumed_from"]
    ours, theirs = (load_file(result.model / "model.safetensors") for result in (cut, whole))
    assert all(ours[name].equal(value) for name, value in theirs.items())
    assert logged(cut) == logged(whole)


def test_a_schedule_that_knows_no_phases_is_refused_before_training(overrides, tmp_path):
    said = ["freezing=head_then_all", "hyperparameters.lr_scheduler_type=reduce_lr_on_plateau"]
    with pytest.raises(ConfigurationError, match="follows the metric, but head, everything"):
        go(tmp_path, *overrides, *said)
