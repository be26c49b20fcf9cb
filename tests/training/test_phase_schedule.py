"""Phases in optimizer steps: where their borders fall, and what does not fit."""

from __future__ import annotations

import re

import pytest

from tunebook.errors import FreezingError
from tunebook.models.depth import Depth, Group
from tunebook.models.freezing import FreezingRow, FreezingTable
from tunebook.models.plan import FreezingPlan, PlannedPhase
from tunebook.models.policies.base import Phase, Span
from tunebook.training.phase_schedule import phase_schedule
from tunebook.training.phase_table import freezing_lines
from tunebook.training.rates import Rates

DEPTH = Depth((Group("embeddings", ()), Group("head", ())), ())


def plan(*phases: Phase) -> FreezingPlan:
    table = FreezingTable((FreezingRow("head", True, 1, 10, 0.1), FreezingRow("backbone", False, 1, 90, 0.9)))
    made = [PlannedPhase(phase, frozenset({phase.name or "all"}), table, phase.name) for phase in phases]
    return FreezingPlan(tuple(made), DEPTH)


def equal(length: Span | None, count: int, **settings) -> list[Phase]:
    """That many phases, the last one to the end."""
    return [Phase(f"p{at}", [], length if at < count - 1 else None, **settings) for at in range(count)]


def borders(phases, per_epoch=7, total=28, rate=1e-3):
    steps = phase_schedule(plan(*phases), per_epoch, total, rate)
    assert steps.phases[0].first == 0
    assert steps.phases[-1].end == total
    return [phase.end for phase in steps.phases]


def test_one_phase_is_the_whole_training():
    assert borders([Phase("", [])]) == [28]


def test_epochs_steps_and_shares():
    assert borders(equal(Span(1, "epochs"), 4)) == [7, 14, 21, 28]
    assert borders(equal(Span(5, "steps"), 3)) == [5, 10, 28]
    assert borders(equal(Span(0.25, "share"), 3)) == [7, 14, 28]
    assert borders([Phase("a", [], Span(3, "steps")), Phase("b", [], Span(1, "epochs")), Phase("c", [])]) == [3, 10, 28]


def test_borders_are_rounded_and_not_lengths():
    # 3.5 steps each: rounded one by one they would end at 4, 8, 12.
    assert borders(equal(Span(0.5, "epochs"), 5)) == [4, 7, 11, 14, 28]
    # Ten times 0.1 is a whole, though ten times the float 0.1 is not.
    assert borders(equal(Span(0.1, "share"), 10), total=30) == [3, 6, 9, 12, 15, 18, 21, 24, 27, 30]


def test_the_phase_of_a_step():
    steps = phase_schedule(plan(*equal(Span(5, "steps"), 3)), 7, 28, 1e-3)
    assert [steps.at(step).name for step in (0, 4, 5, 9, 10, 27, 28)] == ["p0", "p0", "p1", "p1", "p2", "p2", "p2"]
    assert set().union(*(phase.planned.trained for phase in steps.phases)) == {"p0", "p1", "p2"}


@pytest.mark.parametrize(
    ("phases", "total"),
    [
        (equal(Span(1, "epochs"), 5), 28),  # nothing is left for the last
        (equal(Span(2, "epochs"), 4), 28),
        (equal(Span(0.01, "share"), 3), 28),  # shorter than a step
        (equal(Span(1, "epochs"), 2), 7),
        ([Phase("a", [], Span(1, "epochs")), Phase("b", [], Span(1, "epochs"))], 28),  # end before the training
        (equal(Span(0.01, "share"), 3, needed=False), 28),
    ],
)
def test_phases_that_do_not_fit(phases, total):
    with pytest.raises(FreezingError, match=f"do not fit into {total} optimizer steps") as caught:
        borders(phases, total=total)
    assert caught.value.problems[0].key == "freezing"


def test_the_figures_of_phases_that_do_not_fit():
    with pytest.raises(FreezingError) as caught:
        borders([Phase("head", [], Span(4, "epochs")), Phase("everything", [])])
    assert "the 2 phases do not fit into 28 optimizer steps (7 an epoch)" in str(caught.value)
    assert "head: 4 epochs = 28 steps; everything: the rest" in str(caught.value)
    assert "hyperparameters.num_train_epochs" in str(caught.value)


def test_phases_that_may_be_left_out_are_cut_where_training_ends():
    steps = phase_schedule(plan(*equal(Span(2, "epochs"), 5, needed=False)), 7, 24, 1e-3)
    assert [(phase.first, phase.end) for phase in steps.phases] == [(0, 14), (14, 24)]
    assert steps.left_out == ("p2", "p3", "p4")
    assert borders(equal(Span(50, "steps"), 3, needed=False)) == [28]


def test_a_share_of_the_rate_is_made_absolute():
    phases = [Phase("a", [], Span(1, "epochs"), 0.5), Phase("b", [], Span(1, "epochs"), rate_share=0.5), Phase("c", [])]
    steps = phase_schedule(plan(*phases), 7, 28, 1e-3)
    assert [phase.planned.phase.learning_rate for phase in steps.phases] == [0.5, 0.0005, None]


def test_the_table_says_when_what_how_much_and_how_fast():
    phases = [Phase("head", [], Span(1, "epochs"), 0.1, restarts=True), Phase("everything", [], restarts=True)]
    rates = Rates(base=1e-3, factors={"head": 1.0, "everything": 0.5}, titles={})
    lines = freezing_lines(phase_schedule(plan(*phases), 4, 10, 1e-3), rates)
    assert [line.split("  ")[0] for line in lines] == ["phase", "head", "everything"]
    cells = [re.split(" {2,}", line) for line in lines[1:]]
    assert cells[0] == ["head", "0 to 1", "1 to 4", "head", "10", "10.0%", "0.1"]
    assert cells[1] == ["everything", "1 to 2.5", "5 to 10", "everything", "10", "10.0%", "0.0005, schedule restarts"]


def test_the_table_of_one_phase_is_that_of_its_rules():
    rates = Rates(base=1e-3, factors={"all": 1.0}, titles={})
    made = plan(Phase("", []))
    assert freezing_lines(phase_schedule(made, 4, 10, 1e-3), rates) == made.phases[0].table.lines()


def test_the_table_names_what_never_thaws():
    rates = Rates(base=1e-3, factors={f"p{at}": 1.0 for at in range(4)}, titles={})
    phases = equal(Span(1, "epochs"), 4, needed=False)
    lines = freezing_lines(phase_schedule(plan(*phases), 4, 8, 1e-3), rates)
    assert lines[-1] == "training ends before these phases begin: p2; p3"
    lines = freezing_lines(phase_schedule(plan(*phases), 4, 3, 1e-3), rates)
    assert lines[-1].startswith("nothing is unfrozen: training ends before these phases begin")
