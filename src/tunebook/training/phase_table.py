"""What trains when and at which rate, as lines for the log and the report. Changes nothing."""

from __future__ import annotations

from tunebook.training.phase_schedule import PhaseSchedule, TimedPhase
from tunebook.training.rates import Rates, rate_range

HEADINGS = ("phase", "epochs", "steps", "trains", "parameters", "share", "learning rate")
RIGHT = {"parameters", "share"}


def freezing_lines(phase_schedule: PhaseSchedule, rates: Rates) -> list[str]:
    """The table of phases; with a single phase, what each freezing rule decided.

    Args:
        phase_schedule: of the run.
        rates: of its parameters.
    """
    if len(phase_schedule.phases) == 1:
        return [*phase_schedule.phases[0].planned.table.lines(), *_left_out(phase_schedule)]
    rows = [HEADINGS, *(_row(phase, phase_schedule.steps_per_epoch, rates) for phase in phase_schedule.phases)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEADINGS))]
    columns = [
        [row[at].rjust(width) if heading in RIGHT else row[at].ljust(width) for row in rows]
        for at, (width, heading) in enumerate(zip(widths, HEADINGS, strict=True))
    ]
    lines = ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]
    return [*lines, *_left_out(phase_schedule)]


def _row(phase: TimedPhase, steps_per_epoch: int, rates: Rates) -> tuple[str, ...]:
    table = phase.planned.table
    own = phase.planned.phase.learning_rate
    low, high = rate_range(rates.factors, phase.planned.trained, rates.base if own is None else own)
    return (
        phase.name,
        f"{phase.first / steps_per_epoch:.3g} to {phase.end / steps_per_epoch:.3g}",
        f"{phase.first + 1} to {phase.end}" if phase.end > phase.first + 1 else f"{phase.end}",
        phase.planned.where,
        f"{table.trainable_parameters:,}",
        f"{table.trainable_parameters / table.parameters:.1%}",
        (f"{low:.2g}" if low == high else f"{low:.2g} to {high:.2g}") + restarts(phase),
    )


def restarts(phase: TimedPhase) -> str:
    """Words for the phase's row if the schedule restarts."""
    return ", schedule restarts" if phase.planned.phase.restarts and phase.first else ""


def _left_out(phase_schedule: PhaseSchedule) -> list[str]:
    if not phase_schedule.left_out:
        return []
    others = "; ".join(phase_schedule.left_out)
    if len(phase_schedule.phases) == 1:
        return [
            f"nothing is unfrozen: training ends before these phases begin, so shorten them or train longer: {others}"
        ]
    return [f"training ends before these phases begin: {others}"]
