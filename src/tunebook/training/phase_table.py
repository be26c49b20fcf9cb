"""What trains when and at which rate, as lines for the log and the report. Changes nothing."""

from __future__ import annotations

from tunebook.training.phase_schedule import PhaseSchedule, TimedPhase
from tunebook.training.rates import Rates, rate_range

HEADINGS = ("phase", "epochs", "steps", "trains", "parameters", "share", "learning rate")
ALIGNED = "<<<<>><"


def freezing_lines(phase_schedule: PhaseSchedule, rates: Rates) -> list[str]:
    """The table of phases; with a single phase, what each freezing rule decided."""
    phases, note = phase_schedule.phases, "training ends before these phases begin"
    if len(phases) == 1:
        lines = phases[0].planned.table.lines()
        note = f"nothing is unfrozen: {note}, so shorten them or train longer"
    else:
        rows = [HEADINGS, *(_row(phase, phase_schedule.steps_per_epoch, rates) for phase in phases)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, ALIGNED, widths, strict=True)).rstrip()
            for row in rows
        ]
    return [*lines, f"{note}: {'; '.join(phase_schedule.left_out)}"] if phase_schedule.left_out else lines


def _row(phase: TimedPhase, steps_per_epoch: int, rates: Rates) -> tuple[str, ...]:
    table = phase.planned.table
    own = phase.planned.phase.learning_rate
    restarts = ", schedule restarts" if phase.planned.phase.restarts and phase.first else ""
    low, high = rate_range(rates.factors, phase.planned.trained, rates.base if own is None else own)
    return (
        phase.name,
        f"{phase.first / steps_per_epoch:.3g} to {phase.end / steps_per_epoch:.3g}",
        f"{phase.first + 1} to {phase.end}" if phase.end > phase.first + 1 else f"{phase.end}",
        phase.planned.where,
        f"{table.trainable_parameters:,}",
        f"{table.trainable_parameters / table.parameters:.1%}",
        (f"{low:.2g}" if low == high else f"{low:.2g} to {high:.2g}") + restarts,
    )
