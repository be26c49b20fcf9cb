"""A sweep of the learning rate takes the recipe's steps and leaves no trace."""

import dataclasses
import random

import numpy as np
import pytest
import torch

from tests import tiny
from tests.contexts import context_of, trainer_of
from tests.training.test_gradients import without_dropout
from tunebook.check import check
from tunebook.config.compose import compose
from tunebook.errors import ConfigurationError, TrainingDiverged
from tunebook.training.lr_finder import Range, find_lr
from tunebook.training.trainer import RecipeTrainer

SHORT = Range(start=1e-5, end=10.0, steps=30)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return tiny.tiny_text_model("bert", tmp_path_factory.mktemp("model") / "bert")


@pytest.fixture(scope="module")
def loaded():
    """Data and parts by what they were loaded for: a sweep leaves them as they were, so the next one can have them."""
    return {}


@pytest.fixture
def ready(bert, loaded, tmp_path):
    """Makes a trainer of 6 steps an epoch, ready to train."""

    def make(*overrides, model=None, fresh=False):
        model = ["model=auto", f"model.name_or_path={bert}", "task.max_length=24"] if model is None else model
        said = [
            *model, "runtime=cpu", "runtime.precision=float32", "hyperparameters.effective_batch_size=8",
            "hyperparameters.learning_rate=1e-3",
            "dataset.max_rows={train: 48, validation: 24, test: 24}", *overrides,
        ]  # fmt: skip
        key = (*model, *(text for text in overrides if not text.startswith(("hyperparameters.", "runtime."))))
        if fresh or key not in loaded:
            loaded[key] = context_of(tmp_path / "aside", *said)
        context = dataclasses.replace(loaded[key], config=check(compose(said)))
        return trainer_of(context), context.processes

    return make


def state_of(trainer):
    model = trainer.plain_model
    return {
        "weights": {name: value.clone() for name, value in model.state_dict().items()},
        "trains": [parameter.requires_grad for parameter in model.parameters()],
        "gradients": [parameter.grad for parameter in model.parameters()],
        "modes": [module.training for module in model.modules()],
        "forward": {key for key in vars(model) if "forward" in key and not key.startswith("_b")},
        "trainer": (trainer.optimizer, trainer.lr_scheduler, trainer.lr_schedule, trainer.state, trainer.model_wrapped),
        "frozen": trainer.frozen,
        "arguments": trainer.args.to_dict(),
        "callbacks": trainer.callback_handler.callbacks,
        "random": (torch.get_rng_state(), random.getstate(), np.random.get_state()),
        "epoch": trainer.parts.batches.epoch,
    }


def assert_same(before, after):
    assert all(after["weights"][name].equal(value) for name, value in before["weights"].items())
    torch_before, python_before, numpy_before = before["random"]
    torch_after, python_after, numpy_after = after["random"]
    assert torch_before.equal(torch_after)
    assert python_before == python_after
    assert np.array_equal(numpy_before[1], numpy_after[1])
    for key in ("trains", "gradients", "modes", "forward", "trainer", "frozen", "arguments", "callbacks", "epoch"):
        assert after[key] == before[key], key


RESNET = ["model=auto", "task=image_classification", "dataset=digits"]
CASES = {
    "plain": [],
    "decay and cycle": ["hyperparameters.layer_lr_decay=0.5", "hyperparameters.lr_scheduler_type=one_cycle"],
    "frozen": ["freezing=head_only"],
    "phases": ["freezing=head_then_all", "freezing.head_steps=5"],
}


@pytest.mark.parametrize("case", CASES)
def test_everything_is_as_it_was(ready, case):
    trainer, processes = ready(*CASES[case])
    before = state_of(trainer)
    sweep = find_lr(trainer, processes, SHORT)
    assert 10 < len(sweep.losses) <= 30
    assert_same(before, state_of(trainer))


def test_statistics_of_batch_normalisation_come_back(ready, tmp_path):
    folder = tiny.tiny_image_model("resnet", tmp_path / "resnet")
    trainer, processes = ready(model=[*RESNET, f"model.name_or_path={folder}"])
    before = state_of(trainer)
    assert any("running_mean" in name for name in before["weights"])
    find_lr(trainer, processes, Range(1e-4, 1e-1, 20))
    assert_same(before, state_of(trainer))


def test_bf16_leaves_the_models_forward_alone(ready):
    trainer, processes = ready("runtime.precision=bf16")
    trainer.accelerator.state._mixed_precision = "bf16"
    before = state_of(trainer)
    find_lr(trainer, processes, Range(1e-5, 1e-2, 20))
    trainer.accelerator.state._mixed_precision = "no"
    assert_same(before, state_of(trainer))


def test_a_training_after_a_sweep_is_one_without_it(ready):
    def trained(sweep):
        trainer, processes = ready("hyperparameters.layer_lr_decay=0.8", fresh=True)
        if sweep:
            find_lr(trainer, processes, SHORT)
        torch.manual_seed(0)
        trainer.args.max_steps = 4
        trainer.train()
        return trainer.plain_model.state_dict()

    with_sweep, without = trained(True), trained(False)
    assert all(with_sweep[name].equal(value) for name, value in without.items())


def test_rates_rise_evenly_and_every_group_keeps_its_share(ready, monkeypatch):
    trainer, processes = ready("hyperparameters.layer_lr_decay=0.5")
    seen = []
    step = RecipeTrainer.training_step

    def noted(self, *args, **kwargs):
        seen.append({group["name"]: group["lr"] for group in self.optimizer.param_groups})
        return step(self, *args, **kwargs)

    monkeypatch.setattr(RecipeTrainer, "training_step", noted)
    sweep = find_lr(trainer, processes, SHORT)
    assert [groups["head"] for groups in seen] == pytest.approx(sweep.rates)
    assert [groups["embeddings"] for groups in seen] == pytest.approx([rate / 32 for rate in sweep.rates])
    assert sweep.rates[:2] == pytest.approx([1e-5, 1e-5 * 1e6 ** (1 / 30)])


def test_the_loss_is_the_effective_batchs_and_epochs_go_round(ready, tmp_path):
    model = without_dropout(tiny.tiny_text_model("bert", tmp_path / "bert"))
    losses = []
    for per_device in (8, 2):
        sizes = f"hyperparameters.per_device_train_batch_size={per_device}"
        trainer, processes = ready(f"model.name_or_path={model}", sizes)
        losses.append(find_lr(trainer, processes, Range(1e-12, 1e-11, 20)).losses)
    whole, accumulated = losses
    assert len(whole) == 20
    assert accumulated == pytest.approx(whole, abs=1e-6)
    # At such rates nothing moves: the 48 rows of an epoch have the same mean loss each time.
    assert np.mean(whole[:6]) == pytest.approx(np.mean(whole[6:12]), abs=1e-6)
    assert whole[:6] != pytest.approx(whole[6:12], abs=1e-6)


def test_it_ends_where_the_loss_is_four_times_its_lowest(ready):
    trainer, processes = ready()
    told = []
    sweep = find_lr(trainer, processes, Range(1e-3, 1e4, 60), lambda *values: told.append(values))
    assert len(sweep.losses) < 60
    assert sweep.smoothed[-1] > 4 * min(sweep.smoothed)
    assert all(mean <= 4 * min(sweep.smoothed[: at + 1]) for at, mean in enumerate(sweep.smoothed[:-1]))
    assert "4 times its lowest" in sweep.ended
    assert [values[0] for values in told] == list(range(1, len(sweep.losses) + 1))


@pytest.mark.parametrize("first", [0, 3])
def test_a_loss_that_is_not_finite_ends_it(ready, monkeypatch, first):
    trainer, processes = ready()
    compute = RecipeTrainer.compute_loss

    def broken(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        loss = compute(self, model, inputs, return_outputs, num_items_in_batch)
        return loss * float("nan") if self.state.global_step >= first else loss

    monkeypatch.setattr(RecipeTrainer, "compute_loss", broken)
    before = state_of(trainer)
    if first:
        sweep = find_lr(trainer, processes, SHORT)
        assert len(sweep.losses) == first
        assert "not finite" in sweep.ended
        assert sweep.suggestions == {}
    else:
        with pytest.raises(TrainingDiverged, match="in the first step"):
            find_lr(trainer, processes, SHORT)
    assert_same(before, state_of(trainer))


def test_an_interruption_leaves_no_trace_either(ready):
    trainer, processes = ready()
    before = state_of(trainer)

    def interrupt(step, rate, loss):
        if step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_lr(trainer, processes, SHORT, interrupt)
    assert_same(before, state_of(trainer))


@pytest.mark.parametrize(("phase", "trained"), [(1, 2), (2, 73)])
def test_the_whole_sweep_is_in_one_phase(ready, monkeypatch, phase, trained):
    trainer, processes = ready("freezing=head_then_all", "freezing.head_steps=5")
    counts = set()
    step = RecipeTrainer.training_step

    def counted(self, model, *args, **kwargs):
        counts.add(sum(parameter.requires_grad for parameter in model.parameters()))
        return step(self, model, *args, **kwargs)

    monkeypatch.setattr(RecipeTrainer, "training_step", counted)
    sweep = find_lr(trainer, processes, Range(1e-5, 1e-3, 20, phase))
    assert counts == {trained}
    assert sweep.phase.name == ["head", "everything"][phase - 1]


def test_a_phase_that_is_not_there_is_told(ready):
    trainer, processes = ready("freezing=head_then_all", "freezing.head_steps=5")
    with pytest.raises(ConfigurationError, match=r"no phase 3; this freezing policy has 1 \(head\), 2 \(everything\)"):
        find_lr(trainer, processes, Range(phase=3))
