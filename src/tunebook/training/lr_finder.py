"""Sweeps the learning rate over a few training steps and restores everything after. Knows the Trainer; writes nothing.

The steps are the Trainer's own, with batches, accumulation, phase, adapter, loss, regularization and precision of the
recipe. Only the schedule is another one, and the callbacks that log, save and stop are removed.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tunebook.errors import ConfigurationError, Problem, TrainingDiverged
from tunebook.models.freezing import frozen_modules
from tunebook.models.plan import set_trained
from tunebook.models.train_mode import preserved_modes
from tunebook.training.batches import EffectiveBatches
from tunebook.training.phase_schedule import TimedPhase
from tunebook.training.processes import Processes
from tunebook.training.rate_suggestions import smoothed, suggestions
from tunebook.training.schedules import LRSchedule
from tunebook.training.signals import Stopped, StopWish
from tunebook.training.trainer import RecipeTrainer

DIVERGED = 4.0
"""The sweep ends at this many times the lowest smoothed loss."""


@dataclass(frozen=True)
class Range:
    """The learning rates of a sweep.

    Args:
        start: the first base rate.
        end: where the rate would be after the last step; it rises evenly on a logarithmic scale.
        steps: of the optimizer.
        phase: number of the freezing phase, from 1; the weights are those before training.
    """

    start: float = 1e-7
    end: float = 10.0
    steps: int = 100
    phase: int = 1

    def rate(self, step: int) -> float:
        """The base rate of a step, from 0."""
        return self.start * (self.end / self.start) ** (step / self.steps)


@dataclass(frozen=True)
class Sweep:
    """The result of a sweep, one value for each step that was made.

    Args:
        range: that was requested.
        rates: base rates; every group's own share of it stays as the recipe says.
        losses: of the effective batches.
        smoothed: their running mean.
        ended: why there are no more steps.
        suggestions: rates to try, by name.
        phase: of the sweep.
        base: the base rate of the recipe, which the groups' factors refer to.
    """

    range: Range
    rates: list[float]
    losses: list[float]
    smoothed: list[float]
    ended: str
    suggestions: dict[str, float]
    phase: TimedPhase
    base: float

    @property
    def fall(self) -> float:
        """How far the smoothed loss falls below its first value, as a share of it."""
        return (self.smoothed[0] - min(self.smoothed)) / abs(self.smoothed[0])


def find_lr(
    trainer: RecipeTrainer,
    processes: Processes,
    wanted: Range | None = None,
    report: Callable[[int, float, float], None] | None = None,
    wish: StopWish | None = None,
) -> Sweep:
    """Raise the learning rate step by step until the loss is four times its lowest (Smith 2017, arXiv 1506.01186).

    Afterwards everything is as it was: weights, buffers, what trains, optimizer, schedule, random numbers. `report` is
    called after each step with its number from 1, the rate and the smoothed loss; without `wish` signals are ignored.

    Raises:
        ConfigurationError: the optimizer or the launcher cannot be restored, or there is no such phase.
        TrainingDiverged: the loss is not finite from the first step on.
        Stopped: a signal came.
    """
    wanted = wanted or Range()
    phase = _phase(trainer, wanted.phase)
    _refuse(trainer)
    base = trainer.args.learning_rate
    watch = _Watch(trainer, processes, wanted, report, wish or StopWish())
    with _restored(trainer):
        trainer.callback_handler.callbacks = [watch]
        set_trained(trainer.plain_model, phase.planned.trained)
        trainer.frozen = frozen_modules(trainer.plain_model)
        trainer.optimizer = trainer.lr_scheduler = None
        trainer.lr_schedule = LRSchedule(lambda step: wanted.rate(step) / base)
        trainer.args.max_steps = wanted.steps
        trainer.args.eval_on_start = trainer.args.load_best_model_at_end = False
        trainer.train()
    if not watch.losses:
        raise TrainingDiverged(f"the loss is not finite in the first step, at a learning rate of {wanted.start:g}")
    curve = smoothed(watch.losses)
    rates = [wanted.rate(step) for step in range(len(curve))]
    return Sweep(wanted, rates, watch.losses, curve, watch.ended, suggestions(rates, curve, wanted.steps), phase, base)


class _Watch(TrainerCallback):
    """Records the loss of each step before the weights change, and ends the sweep."""

    def __init__(
        self, trainer: RecipeTrainer, processes: Processes, wanted: Range, report: Any, wish: StopWish
    ) -> None:
        self.trainer, self.processes, self.wanted, self.report, self.wish = trainer, processes, wanted, report, wish
        self.losses: list[float] = []
        self.ended = f"after {wanted.steps} steps"

    def on_pre_optimizer_step(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """The loss of the effective batch: a sum over micro-batches, a mean over processes."""
        loss_here = float(torch.stack([loss for loss, _ in self.trainer.parts.step.losses]).sum())
        self.trainer.parts.step.losses.clear()
        every = self.processes.gather([(loss_here, self.wish.number)])
        if signal := max(number for _, number in every):
            raise Stopped(signal, state.global_step)
        loss = sum(part for part, _ in every) / len(every)
        step, rate = state.global_step, self.wanted.rate(state.global_step)
        if not np.isfinite(loss):
            self.ended = f"at a learning rate of {rate:.2g}, where the loss is not finite"
            control.should_training_stop = True
            return
        self.losses.append(loss)
        curve = smoothed(self.losses)
        if self.report is not None:
            self.report(step + 1, rate, curve[-1])
        if curve[-1] > DIVERGED * min(curve):
            self.ended = f"at a learning rate of {rate:.2g}, where the loss is {DIVERGED:g} times its lowest"
            control.should_training_stop = True

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Stop after the last step; transformers' own callback for that is removed."""
        control.should_training_stop |= state.global_step >= self.wanted.steps


def _phase(trainer: RecipeTrainer, number: int) -> TimedPhase:
    phases = trainer.parts.phases.phases if trainer.parts.phases else ()
    if not 1 <= number <= len(phases):
        named = ", ".join(f"{at} ({phase.name})" for at, phase in enumerate(phases, start=1))
        raise ConfigurationError(Problem("--phase", f"there is no phase {number}; this freezing policy has {named}"))
    return phases[number - 1]


def _refuse(trainer: RecipeTrainer) -> None:
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        message = "the weights are split over processes by FSDP or DeepSpeed; look for a learning rate without it"
        raise ConfigurationError(Problem("runtime", message))
    if str(trainer.args.optim).endswith("layerwise"):
        message = f"{trainer.args.optim} cannot be restored; look for a learning rate with another"
        raise ConfigurationError(Problem("hyperparameters.optim", message))


@contextlib.contextmanager
def _restored(trainer: RecipeTrainer) -> Iterator[None]:
    """After the block, also after an error, trainer and model are as before."""
    with (
        preserved_modes(trainer.plain_model),
        _model_restored(trainer.plain_model),
        _trainer_restored(trainer),
        _random_numbers_restored(),
    ):
        yield


@contextlib.contextmanager
def _attributes_restored(*objects: Any) -> Iterator[None]:
    before = [(vars(one), dict(vars(one))) for one in objects]
    try:
        yield
    finally:
        for attributes, values in before:
            attributes.clear()
            attributes.update(values)


@contextlib.contextmanager
def _model_restored(model: nn.Module) -> Iterator[None]:
    parameters = list(model.parameters())
    # The frozen ones cannot change; buffers (statistics of BatchNorm) can, wherever they are.
    changing = [*(p for p in parameters if p.requires_grad), *model.buffers()]
    values = [tensor.detach().to("cpu", copy=True) for tensor in changing]
    states = [(parameter, parameter.requires_grad, parameter.grad) for parameter in parameters]
    try:
        # accelerate wraps the forward for mixed precision; the next training wraps it again.
        with _attributes_restored(model):
            yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(changing, values, strict=True):
                tensor.copy_(value)
        for parameter, trains, gradient in states:
            parameter.requires_grad_(trains)
            parameter.grad = gradient


@contextlib.contextmanager
def _trainer_restored(trainer: RecipeTrainer) -> Iterator[None]:
    accelerator, batches = trainer.accelerator, cast(EffectiveBatches, trainer.parts.batches)
    scaler = None if accelerator.scaler is None else accelerator.scaler.state_dict()
    epoch = batches.epoch
    try:
        with _attributes_restored(trainer, trainer.args, trainer.callback_handler):
            yield
    finally:
        accelerator.free_memory()
        if accelerator.scaler is not None and scaler is not None:
            accelerator.scaler.load_state_dict(scaler)
        trainer.parts.step.losses.clear()
        batches.set_epoch(epoch)


@contextlib.contextmanager
def _random_numbers_restored() -> Iterator[None]:
    python, numpy = random.getstate(), np.random.get_state()
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
