"""How the learning rate moves from step to step: over the whole training, or again over some of its phases.

The schedules are transformers', and one-cycle. Knows phases and optimizers; nothing of a model or the Trainer.
"""

from __future__ import annotations

import math
from bisect import bisect_right
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
from tunebook.training.rates import base_rate
from tunebook.training.schedule_options import BY_METRIC, KEY, OneCycle, SlantedTriangular

LRLambda = Callable[[int], float]
"""From the number of optimizer steps that were made to a factor of the base rate, or to a momentum."""


@dataclass(frozen=True)
class LRSchedule:
    """The learning rate and, where it moves too, the momentum at each optimizer step.

    Args:
        rate: factor of the base rate.
        momentum: None: the optimizer uses its own.
        momentum_required: whether an optimizer without momentum is an error, as the recipe asks for it.
    """

    rate: LRLambda
    momentum: LRLambda | None = None
    momentum_required: bool = False


def lr_schedule_of(wanted: Any, phase_schedule: PhaseSchedule) -> LRSchedule | None:
    """The schedule of the group `hyperparameters` through the phases of a training.

    A phase's own `learning_rate` replaces the base rate in it. A phase that `restarts` starts the schedule again, over
    the steps up to the next phase that does; a warm-up that is a share is a share of these steps.

    Returns:
        None for schedules that follow the monitored metric and not the step.

    Raises:
        ConfigurationError: the schedule or the optimizer cannot work with phases, or the options do not fit.
    """
    _refuse(wanted, phase_schedule)
    if wanted.lr_scheduler_type in BY_METRIC:
        return None
    base = base_rate(wanted)
    begins = [phase for phase in phase_schedule.phases if phase.first == 0 or phase.planned.phase.restarts]
    firsts = [phase.first for phase in begins]
    lambdas = []
    for phase, end in zip(begins, [*firsts[1:], phase_schedule.total], strict=True):
        name = phase.name if len(begins) > 1 else ""
        lambdas.append(_lambdas(wanted, end - phase.first, _rate(phase, base), name))

    def rate(step: int) -> float:
        number = bisect_right(firsts, step) - 1
        return lambdas[number][0](step - firsts[number]) * (_rate(phase_schedule.at(step), base) / base)

    def momentum(step: int) -> float:
        number = bisect_right(firsts, step) - 1
        own = lambdas[number][1]
        return own(step - firsts[number]) if own else 0.0

    if lambdas[0][1] is None:
        return LRSchedule(rate)
    return LRSchedule(rate, momentum, momentum_required="moms" in (wanted.lr_scheduler_kwargs or {}))


class ScheduledLR(LambdaLR):
    """torch's LambdaLR over all groups of an optimizer, each scaled from its own rate; it moves the momentum too.

    Raises:
        ConfigurationError: the recipe asks for momentum, and the optimizer has none.
    """

    def __init__(self, optimizer: Optimizer, lr_schedule: LRSchedule) -> None:
        self.momentum = lr_schedule.momentum
        if lr_schedule.momentum_required and not any(_has_momentum(group) for group in optimizer.param_groups):
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
        """Without the function of the momentum, which follows from the configuration."""
        return {key: value for key, value in super().state_dict().items() if key != "momentum"}


def one_cycle(step: int, steps: int, values: tuple[float, float, float], rise: float) -> float:
    """Two half cosines, as torch's OneCycleLR has them; that class knows no phases.

    The peak is at step `rise * steps - 1`, as in torch, but never before the first step, where torch divides by 0.

    `values` are the first one, the peak, and that of the last step and of later ones; `rise` is the share of the steps
    up to the peak.
    """
    first, peak, final = values
    top, last = max(rise * steps - 1, 0.0), steps - 1
    if step <= top:
        before, after, progress = first, peak, step / top if top else 1.0
    else:
        before, after, progress = peak, final, min((step - top) / max(last - top, 1e-9), 1.0)
    return after + (before - after) / 2 * (1 + math.cos(math.pi * progress))


def slanted_triangular(steps: int, cut: float, ratio: float) -> LRLambda:
    """Linear rise from 1 / ratio to 1 in a share of the steps, and back: warmup_stable_decay with no stable steps."""
    rise = math.floor(steps * cut)
    options = {"num_decay_steps": steps - rise, "decay_type": "linear", "min_lr_ratio": 1 / ratio}
    return _transformers_lambda("warmup_stable_decay", rise, steps, 1.0, options)


def _lambdas(wanted: Any, steps: int, rate: float, phase: str) -> tuple[LRLambda, LRLambda | None]:
    """Rate and momentum over so many steps, counted from their own first; the phase's name is for messages."""
    name, options = wanted.lr_scheduler_type or "linear", wanted.lr_scheduler_kwargs or {}
    if name == "slanted_triangular":
        triangle = SlantedTriangular.model_validate(options)
        return slanted_triangular(steps, triangle.cut_frac, triangle.ratio), None
    if name != "one_cycle":
        warmup = _warmup_steps(wanted.warmup_steps or 0.0, steps, phase, name)
        return _transformers_lambda(name, warmup, steps, rate, options), None
    cycle = OneCycle.model_validate(options)
    values = (1 / cycle.div, 1.0, 1 / cycle.div_final)

    def factor(step: int) -> float:
        return one_cycle(step, steps, values, cycle.pct_start)

    if cycle.moms is None:
        return factor, None
    start, peak, end = cycle.moms
    return factor, lambda step: one_cycle(step, steps, (start, peak, end), cycle.pct_start)


def _warmup_steps(wanted: float, steps: int, phase: str, name: str) -> int:
    warmup = int(wanted) if wanted >= 1 else math.ceil(steps * wanted)
    if phase and wanted < 1:
        warmup = min(warmup, max(steps - 1, 0))  # a share of a phase of one step is no warm-up
    if phase and warmup >= steps and name != "constant":
        message = f"{warmup} are as many as the phase {phase} has or more ({steps}); give a share, such as 0.1"
        raise ConfigurationError(Problem("hyperparameters.warmup_steps", message))
    return warmup


def _transformers_lambda(name: str, warmup: int, steps: int, rate: float, options: dict[str, Any]) -> LRLambda:
    """transformers' factor of the rate; absolute options (`min_lr`, `lr_end`) are measured by the rate."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=rate)
    try:
        made: Any = get_scheduler(name, optimizer, warmup, steps, options)
        factor: LRLambda = made.lr_lambdas[0]
        for step in (0, warmup, steps // 2, steps):
            factor(step)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ConfigurationError(Problem(KEY, f"{name} does not take these: {error}")) from error
    return factor


def _rate(phase: TimedPhase, base: float) -> float:
    own = phase.planned.phase.learning_rate
    return base if own is None else own


def _has_momentum(group: dict[str, Any]) -> bool:
    return "betas" in group or bool(group.get("momentum"))


def _refuse(wanted: Any, phase_schedule: PhaseSchedule) -> None:
    phases, name, optimizer = phase_schedule.phases, wanted.lr_scheduler_type, wanted.optim or ""
    own = [p.name for p in phases if p.planned.phase.restarts or p.planned.phase.learning_rate is not None]
    problems = []
    if name in BY_METRIC and own:
        message = (
            f"{name} follows the metric, but {', '.join(own)} of the freezing policy restarts the schedule or "
            "has its own learning rate; choose a schedule that follows the steps, such as linear"
        )
        problems.append(Problem("hyperparameters.lr_scheduler_type", message))
    if len(phases) > 1 and any(part in optimizer for part in OWN_GROUPS):
        message = f"{optimizer} groups the parameters its own way and knows no phases; choose another, or freezing=none"
        problems.append(Problem("hyperparameters.optim", message))
    if problems:
        raise ConfigurationError(problems)
