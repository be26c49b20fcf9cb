"""Moments at which a run is cut off or evaluated that are easily forgotten; each in one process, with a tiny BERT."""

import json

import pytest
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel

from tests import tiny
from tests.runs import best_at, go, six_steps, stop_at
from tunebook import finish
from tunebook.errors import RunDirectoryError, TrainingDiverged
from tunebook.training import callbacks
from tunebook.training.trainer import RecipeTrainer

CONSTANT = ["hyperparameters.lr_scheduler_type=constant", "hyperparameters.warmup_steps=0"]
BY_STEPS = ["hyperparameters.eval_strategy=steps", "hyperparameters.eval_steps=2"]


@pytest.fixture(scope="module")
def overrides(tmp_path_factory):
    """Six steps an epoch."""
    return six_steps(tmp_path_factory.mktemp("model"))


def weights(result):
    return (result.model / "model.safetensors").read_bytes()


def evaluations(result):
    entries = map(json.loads, (result.path / "history.jsonl").read_text().splitlines())
    return [entry["step"] for entry in entries if "eval_loss" in entry]


def best(result):
    return json.loads((result.path / "metrics.json").read_text())["best"]


@pytest.mark.parametrize("step", [6, 12])
def test_a_signal_in_the_last_step_of_an_epoch_does_not_lose_its_evaluation(overrides, tmp_path, monkeypatch, step):
    said = [*overrides, "hyperparameters.num_train_epochs=2"]
    whole = go(tmp_path / "whole", *said)
    with monkeypatch.context() as patch:
        stop_at(step, patch)
        with pytest.raises(SystemExit) as stopped:
            go(tmp_path / "cut", *said)
    assert stopped.value.code == 143
    cut = go(tmp_path / "cut", *said)
    assert evaluations(cut) == evaluations(whole) == [6, 12]
    assert best(cut) == best(whole)
    assert weights(cut) == weights(whole)


@pytest.mark.parametrize("length", ["max_steps=4", "num_train_epochs=0.5"])
def test_a_run_that_has_done_its_steps_does_none_more(overrides, tmp_path, monkeypatch, length):
    said = [*overrides, *CONSTANT, f"hyperparameters.{length}"]
    whole = go(tmp_path / "whole", *said)
    with monkeypatch.context() as patch:
        patch.setattr(finish, "evaluate", lambda *_: {}["a crash after training"])
        with pytest.raises(KeyError):
            go(tmp_path / "cut", *said)
    cut = go(tmp_path / "cut", *said)
    assert best(cut)["steps_trained"] == best(whole)["steps_trained"]
    assert weights(cut) == weights(whole)


def test_an_evaluation_on_start_is_not_repeated_when_resumed(overrides, tmp_path, monkeypatch):
    said = [*overrides, "hyperparameters.num_train_epochs=2", "hyperparameters.eval_on_start=true"]
    with monkeypatch.context() as patch:
        stop_at(8, patch)
        with pytest.raises(SystemExit):
            go(tmp_path, *said)
    assert evaluations(go(tmp_path, *said)) == [0, 6, 12]


def test_the_best_model_is_saved_though_its_step_is_not_one_of_save_steps(overrides, tmp_path, monkeypatch):
    # The loss falls up to step 6 and rises then; checkpoints are due after 4, 8 and 10.
    best_at(6, monkeypatch)
    result = go(
        tmp_path, *overrides, *BY_STEPS, "runtime.save_steps=4", "hyperparameters.max_steps=10",
        "hyperparameters.metric_for_best_model=loss",
    )  # fmt: skip
    assert best(result)["step"] == 6
    kept = load_file(result.path / "checkpoints" / "checkpoint-6" / "model.safetensors")
    assert all(value.equal(kept[name]) for name, value in load_file(result.model / "model.safetensors").items())


def test_the_precision_of_the_recipe_stands_above_the_launchers(overrides, tmp_path, monkeypatch):
    said = [*overrides, "hyperparameters.max_steps=2"]
    plain = go(tmp_path / "plain", *said)
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    assert weights(go(tmp_path / "bf16", *said)) == weights(plain)


def test_weights_that_give_no_finite_loss_end_the_run_in_plain_words(overrides, tmp_path):
    wild = ["hyperparameters.learning_rate=1e38", "hyperparameters.max_steps=1", *CONSTANT]
    with pytest.raises(TrainingDiverged, match="validation split.*loss is nan after training"):
        go(tmp_path, *overrides, *wild)


def test_a_disk_that_fills_up_in_the_middle_is_told_in_plain_words(overrides, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(callbacks.History, "on_log", full)
    with pytest.raises(RunDirectoryError, match="disk of .* is full"):
        go(tmp_path, *overrides, "hyperparameters.max_steps=2")


def test_models_that_give_more_than_logits_are_evaluated(overrides, tmp_path):
    tokenizer = tiny.tiny_tokenizer()
    config = AutoConfig.for_model(
        "bart", vocab_size=len(tokenizer), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_position_embeddings=66,
        pad_token_id=0, bos_token_id=2, eos_token_id=3, decoder_start_token_id=3, forced_eos_token_id=3,
    )  # fmt: skip
    AutoModel.from_config(config).save_pretrained(tmp_path / "bart")
    tokenizer.save_pretrained(tmp_path / "bart")
    said = [*overrides, "hyperparameters.max_steps=1", f"model.name_or_path={tmp_path / 'bart'}"]
    assert go(tmp_path, *said).metrics.keys() == {"validation", "test"}


def test_a_gradient_that_is_not_finite_never_reaches_the_weights(tmp_path, overrides, monkeypatch):
    step = RecipeTrainer.training_step

    def with_a_broken_gradient(self, model, inputs, count=None):
        loss = step(self, model, inputs, count)
        if self.state.global_step == 3:
            next(model.parameters()).grad[0, 0] = float("inf")
        return loss

    monkeypatch.setattr(RecipeTrainer, "training_step", with_a_broken_gradient)
    with pytest.raises(TrainingDiverged, match=r"step 4 .*gradient's norm is (inf|nan) on training rows \d+, .*lower"):
        go(tmp_path, *overrides)
