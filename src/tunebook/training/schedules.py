"""How the learning rate moves from step to step: a shape over the whole training, or anew over some of its phases.

The shapes are transformers' and two of our own. Knows timetables and optimizers; nothing of a model or the Trainer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers import get_scheduler

from tunebook.errors import ConfigurationError, Problem
from tunebook.training.phase_schedule import PhaseSchedule, TimedPhase
from tunebook.training.problems import OWN_GROUPS
from tunebook.training.schedule_options import BY_METRIC, KEY, OneCycle, SlantedTriangular

Shape = Callable[[int], float]
"""From the number of optimizer steps that were made to a share of the base rate, or to a momentum."""


@dataclass(frozen=True)
class Schedule:
    """What a recipe says of the learning rate's lr_schedule.

    Args:
        name: transformers', or one of our own.
        options: of the schedule.
        warmup: steps, or below 1 a share of the steps, of a straight rise from 0; unused by schedules without one.
    """

    name: str = "linear"
    options: dict[str, Any] | None = None
    warmup: float = 0.0


@dataclass(frozen=True)
class LRSchedule:
    """The way of the learning rate and, where it moves too, of the momentum through a training.

    Args:
        rate: share of the base rate at each optimizer step.
        momentum: at each step; None: the optimizer keeps its own.
        must: whether an optimizer without momentum is a mistake, as somebody asked for it.
    """

    rate: Shape
    momentum: Shape | None = None
    must: bool = False


def schedule_of(wanted: Any) -> Schedule:
    """What the group `hyperparameters` says of it, with transformers' defaults."""
    return Schedule(wanted.lr_scheduler_type or "linear", wanted.lr_scheduler_kwargs, wanted.warmup_steps or 0.0)


def lr_schedule_of(
    schedule: Schedule, phase_schedule: PhaseSchedule, base: float, optimizer: str = ""
) -> LRSchedule | None:
    """The lr_schedule through the phases of a training.

    In a phase with its own `learning_rate` that stands for the base rate. A phase that `restarts` begins the shape
    anew, over the steps up to the next one that does; a warm-up that is a share is one of these steps.

    Args:
        schedule: of the recipe.
        phase_schedule: of the run.
        base: the base rate.
        optimizer: its name, for what it cannot do.

    Returns:
        None for schedules that follow the monitored metric and not the step.

    Raises:
        ConfigurationError: the schedule or the optimizer knows no phases, or the options do not fit.
    """
    _refuse(schedule, phase_schedule, optimizer)
    if schedule.name in BY_METRIC:
        return None
    starts = [at for at, phase in enumerate(phase_schedule.phases) if at == 0 or phase.planned.phase.restarts]
    runs = []
    for number, at in enumerate(starts):
        phase = phase_schedule.phases[at]
        end = phase_schedule.phases[starts[number + 1]].first if number + 1 < len(starts) else phase_schedule.total
        name = phase.name if len(starts) > 1 else ""
        runs.append((phase.first, *_shapes(schedule, end - phase.first, _rate(phase, base), name)))

    def run_of(step: int) -> tuple[int, Shape, Shape | None]:
        return next(run for run in reversed(runs) if run[0] <= step)

    def rate(step: int) -> float:
        first, shape, _ = run_of(step)
        return shape(step - first) * (_rate(phase_schedule.at(step), base) / base)

    def momentum(step: int) -> float:
        first, _, shape = run_of(step)
        return shape(step - first) if shape else 0.0

    moves = runs[0][2] is not None
    return LRSchedule(rate, momentum if moves else None, must=moves and "moms" in (schedule.options or {}))


class ScheduledLR(LambdaLR):
    """A lr_schedule over all groups of an optimizer, each scaled from its own rate.

    Args:
        optimizer: with groups at their base rates.
        lr_schedule: of rate and momentum.

    Raises:
        ConfigurationError: momentum was asked for, and the optimizer has none.
    """

    def __init__(self, optimizer: Optimizer, lr_schedule: LRSchedule) -> None:
        self.momentum = lr_schedule.momentum
        if lr_schedule.must and not any(_has_momentum(group) for group in optimizer.param_groups):
            message = "this optimizer has no momentum; set it to null, or choose another hyperparameters.optim"
            raise ConfigurationError(Problem(f"{KEY}.moms", message))

        # torch would save the attributes of any other callable than a function in the checkpoint.
        def rate(step: int) -> float:
            return lr_schedule.rate(step)

        super().__init__(optimizer, rate)

    def get_lr(self) -> list[Any]:
        """The groups' rates at this step; sets their momentum, as torch's OneCycleLR does."""
        for group in self.optimizer.param_groups:
            if self.momentum is not None and "betas" in group:
                group["betas"] = (self.momentum(self.last_epoch), *group["betas"][1:])
            elif self.momentum is not None and _has_momentum(group):
                group["momentum"] = self.momentum(self.last_epoch)
        return super().get_lr()

    def state_dict(self) -> dict[str, Any]:
        """Without the momentum's lr_schedule, which follows from the configuration."""
        return {key: value for key, value in super().state_dict().items() if key != "momentum"}


def one_cycle(step: int, steps: int, start: float, peak: float, end: float, rise: float) -> float:
    """Two half cosines: from `start` to `peak` and on to `end`, which is the value of the last step.

    The peak is at step `rise * steps - 1`, as in torch's OneCycleLR, but never before the first step.

    Args:
        step: from 0.
        steps: how many there are.
        start: the first value.
        peak: the value in between.
        end: the last value; that of later steps, too.
        rise: share of the steps in which it goes from start to peak.
    """
    top, last = max(rise * steps - 1, 0.0), steps - 1
    if step <= top:
        before, after, progress = start, peak, step / top if top else 1.0
    else:
        before, after, progress = peak, end, min((step - top) / max(last - top, 1e-9), 1.0)
    return after + (before - after) / 2 * (1 + math.cos(math.pi * progress))


def slanted_triangular(step: int, steps: int, cut: float, ratio: float) -> float:
    """Straight up from 1 / ratio to 1 in the first share of the steps, and straight down again in the others.

    Args:
        step: from 0.
        steps: how many there are.
        cut: share of the steps in which it rises.
        ratio: highest over lowest.
    """
    top = math.floor(steps * cut)
    # The paper divides by top * (1 / cut - 1); where `top` was rounded down that ends below 0.
    progress = step / top if step < top else max(1 - (step - top) / (steps - top), 0.0)
    return (1 + progress * (ratio - 1)) / ratio


def _shapes(schedule: Schedule, steps: int, rate: float, phase: str) -> tuple[Shape, Shape | None]:
    """Rate and momentum over so many steps, counted from their own first; the phase's name is for messages."""
    options = schedule.options or {}
    if schedule.name == "one_cycle":
        said = OneCycle.model_validate(options)
        moms, rise = said.moms, said.pct_start

        def cycle(step: int) -> float:
            return one_cycle(step, steps, 1 / said.div, 1.0, 1 / said.div_final, rise)

        if moms is None:
            return cycle, None
        start, peak, end = moms
        return cycle, lambda step: one_cycle(step, steps, start, peak, end, rise)
    if schedule.name == "slanted_triangular":
        triangle = SlantedTriangular.model_validate(options)
        return lambda step: slanted_triangular(step, steps, triangle.cut_frac, triangle.ratio), None
    return _library_shape(schedule, steps, rate, phase), None


def _library_shape(schedule: Schedule, steps: int, rate: float, phase: str) -> Shape:
    """transformers' shape; absolute options (`min_lr`, `lr_end`) are measured by the rate."""
    warmup = int(schedule.warmup) if schedule.warmup >= 1 else math.ceil(steps * schedule.warmup)
    if phase and schedule.warmup < 1:
        warmup = min(warmup, max(steps - 1, 0))  # a share of a phase of one step is no warm-up
    if phase and warmup >= steps and schedule.name != "constant":
        message = f"{warmup} are as many as the phase {phase} has or more ({steps}); give a share, such as 0.1"
        raise ConfigurationError(Problem("hyperparameters.warmup_steps", message))
    stand_in = torch.optim.SGD([torch.zeros(1)], lr=rate)
    try:
        made: Any = get_scheduler(schedule.name, stand_in, warmup, steps, schedule.options or {})
        shape: Shape = made.lr_lambdas[0]
        for step in (0, warmup, steps // 2, steps):
            shape(step)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ConfigurationError(Problem(KEY, f"{schedule.name} does not take these: {error}")) from error
    return shape


def _rate(phase: TimedPhase, base: float) -> float:
    own = phase.planned.phase.learning_rate
    return base if own is None else own


def _has_momentum(group: dict[str, Any]) -> bool:
    return "betas" in group or bool(group.get("momentum"))


def _refuse(schedule: Schedule, phase_schedule: PhaseSchedule, optimizer: str) -> None:
    phases = phase_schedule.phases
    own = [p.name for p in phases if p.planned.phase.restarts or p.planned.phase.learning_rate is not None]
    problems = []
    if schedule.name in BY_METRIC and own:
        message = (
            f"{schedule.name} follows the metric, but {', '.join(own)} of the freezing policy begins anew or has "
            "its own learning rate; choose a schedule that follows the steps, such as linear"
        )
        problems.append(Problem("hyperparameters.lr_scheduler_type", message))
    if len(phases) > 1 and any(part in optimizer for part in OWN_GROUPS):
        message = f"{optimizer} groups the parameters its own way and knows no phases; choose another, or freezing=none"
        problems.append(Problem("hyperparameters.optim", message))
    if problems:
        raise ConfigurationError(problems)
