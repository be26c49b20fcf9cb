"""When each phase of a freezing plan begins, in optimizer steps; knows nothing of torch or of the Trainer."""

from __future__ import annotations

from dataclasses import dataclass

from tunebook.errors import FreezingError, Problem
from tunebook.modeling.plan import FreezingPlan, PlannedPhase
from tunebook.modeling.policies.base import Span


@dataclass(frozen=True)
class TimedPhase:
    """A phase with its place in the run.

    Args:
        planned: what trains.
        first: number of its first optimizer step, from 0.
        end: number of the step after its last.
    """

    planned: PlannedPhase
    first: int
    end: int


@dataclass(frozen=True)
class Timetable:
    """The phases of a run in order, without gaps.

    Args:
        phases: at least one, each at least one step long.
        total: optimizer steps of the whole run.
        steps_per_epoch: optimizer steps.
    """

    phases: tuple[TimedPhase, ...]
    total: int
    steps_per_epoch: int

    def at(self, step: int) -> TimedPhase:
        """The phase of an optimizer step; the last one for steps after the end."""
        return next((phase for phase in self.phases if step < phase.end), self.phases[-1])

    @property
    def ever(self) -> frozenset[str]:
        """Names of the parameters that train in some phase."""
        return frozenset().union(*(phase.planned.trained for phase in self.phases))


def timetable(plan: FreezingPlan, steps_per_epoch: int, total: int) -> Timetable:
    """The phases in optimizer steps.

    Args:
        plan: of the run.
        steps_per_epoch: optimizer steps.
        total: optimizer steps of the whole run.

    Raises:
        FreezingError: the phases are longer than the training, end before it, or are shorter than a step.
    """
    phases: list[TimedPhase] = []
    first = 0
    for planned in plan.phases:
        length = planned.phase.length
        end = total if length is None else first + _steps(length, steps_per_epoch, total)
        phases.append(TimedPhase(planned, first, end))
        first = end
    short = [phase.planned.phase.name for phase in phases if phase.end <= phase.first]
    if short or first != total:
        told = ", ".join(
            f"{phase.planned.phase.name or 'all'}: {max(phase.end - phase.first, 0)} steps" for phase in phases
        )
        message = (
            f"the phases ({told}) do not fill the training of {total} steps ({steps_per_epoch} an epoch): "
            "give them other lengths, or train longer with hyperparameters.num_train_epochs"
        )
        raise FreezingError(Problem("freezing", message))
    return Timetable(tuple(phases), total, steps_per_epoch)


def _steps(length: Span, steps_per_epoch: int, total: int) -> int:
    of = {"epochs": steps_per_epoch, "steps": 1, "share": total}[length.unit]
    return round(length.amount * of)
