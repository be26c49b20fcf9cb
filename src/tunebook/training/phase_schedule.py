"""When each phase of a freezing plan begins, in optimizer steps; knows nothing of torch or of the Trainer."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

from tunebook.errors import FreezingError, Problem
from tunebook.models.plan import FreezingPlan, PlannedPhase
from tunebook.models.policies.base import Phase, Span


@dataclass(frozen=True)
class TimedPhase:
    """A phase with its place in the run.

    Args:
        planned: what trains; the `learning_rate` of its phase is absolute, or None for the base rate.
        first: number of its first optimizer step, from 0.
        end: number of the step after its last.
    """

    planned: PlannedPhase
    first: int
    end: int

    @property
    def name(self) -> str:
        return self.planned.phase.name or "training"


@dataclass(frozen=True)
class PhaseSchedule:
    """The phases of a run in order, without gaps.

    Args:
        phases: at least one, each at least one step long.
        total: optimizer steps of the whole run.
        steps_per_epoch: optimizer steps.
        left_out: names of phases that would begin after training ends.
    """

    phases: tuple[TimedPhase, ...]
    total: int
    steps_per_epoch: int
    left_out: tuple[str, ...] = ()

    def at(self, step: int) -> TimedPhase:
        """The phase of an optimizer step; the last one for steps after the end."""
        return next((phase for phase in self.phases if step < phase.end), self.phases[-1])


def phase_schedule(plan: FreezingPlan, steps_per_epoch: int, total: int, base_rate: float) -> PhaseSchedule:
    """The phases in optimizer steps.

    Begins and ends are rounded, not lengths, so that two phases of half an epoch end with the epoch.

    Raises:
        FreezingError: the phases are longer than the training, end before it, or are shorter than a step.
    """
    phases: list[TimedPhase] = []
    at = Fraction(0)
    for planned in plan.phases:
        first, length = _step(at), planned.phase.length
        at = Fraction(total) if length is None else at + _steps(length, steps_per_epoch, total)
        end = _step(at) if planned.phase.needed else min(_step(at), total)
        phases.append(TimedPhase(replace(planned, phase=_with_rate(planned.phase, base_rate)), first, end))
    reached = [phase for phase in phases if phase.planned.phase.needed or phase.first < total]
    if any(phase.end <= phase.first for phase in reached) or reached[-1].end != total:
        raise FreezingError(Problem("freezing", _misfit(plan, phases, steps_per_epoch, total)))
    left_out = tuple(phase.name for phase in phases if phase not in reached)
    return PhaseSchedule(tuple(reached), total, steps_per_epoch, left_out)


def _step(exact: Fraction) -> int:
    return math.floor(exact + Fraction(1, 2))


def _steps(length: Span, steps_per_epoch: int, total: int) -> Fraction:
    of = {"epochs": steps_per_epoch, "steps": 1, "share": total}[length.unit]
    # From its digits: the float 0.1 is a little more than a tenth.
    return Fraction(str(length.amount)) * of


def _with_rate(phase: Phase, base_rate: float) -> Phase:
    if phase.rate_share is None:
        return phase
    return replace(phase, learning_rate=phase.rate_share * base_rate, rate_share=None)


def _misfit(plan: FreezingPlan, phases: list[TimedPhase], steps_per_epoch: int, total: int) -> str:
    """Why the phases do not fit, in figures, and what to do."""
    lines = []
    for phase, planned in zip(phases, plan.phases, strict=True):
        length = planned.phase.length
        if length is None:
            lines.append(f"{phase.name}: the rest")
            continue
        steps = f"{phase.end - phase.first} steps"
        asked = f"{length.amount:g} {length.unit} = " if length.unit != "share" else f"{length.amount:.2%} = "
        lines.append(f"{phase.name}: {'' if length.unit == 'steps' else asked}{steps}")
    shown = "; ".join(lines if len(lines) <= 8 else [*lines[:4], f"… {len(lines) - 6} more …", *lines[-2:]])
    return (
        f"the {len(phases)} phases do not fit into {total} optimizer steps ({steps_per_epoch} an epoch), each needs at "
        f"least one: {shown}. Make them shorter, or train longer with "
        "hyperparameters.num_train_epochs or hyperparameters.max_steps"
    )
