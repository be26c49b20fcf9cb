"""The learning rate's schedule: torch's and transformers' figures, the papers' formulas, and phase after phase."""

import math
import typing
import warnings
from types import SimpleNamespace

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR
from transformers import get_scheduler

from tunebook.config.schema import Hyperparameters, Scheduler
from tunebook.errors import ConfigurationError
from tunebook.models.policies.base import Phase
from tunebook.training.phase_schedule import PhaseSchedule, TimedPhase
from tunebook.training.schedule_options import BY_METRIC
from tunebook.training.schedules import ScheduledLR, lr_schedule_of, one_cycle, slanted_triangular

BASE = 1e-3
NEEDED = {"warmup_stable_decay": {"num_decay_steps": 5}, "cosine_with_min_lr": {"min_lr": 1e-5},
          "cosine_warmup_with_min_lr": {"min_lr": 1e-5}}  # fmt: skip


def phase_schedule(*phases, total=40):
    """Phases as (first step, learning rate, restarts)."""
    ends = [first for first, *_ in phases[1:]] + [total]
    timed = [
        TimedPhase(SimpleNamespace(phase=Phase(f"phase {at}", [], None, rate, restarts=restarts)), first, end)
        for at, ((first, rate, restarts), end) in enumerate(zip(phases, ends, strict=True))
    ]
    return PhaseSchedule(tuple(timed), total, total)


WHOLE = (0, None, False)


def optimizer(kind=torch.optim.AdamW, **settings):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": BASE * factor} for factor in (0.1, 1.0)]
    return kind(groups, lr=BASE, **settings)


def walked(scheduler, steps=40):
    """Rates of both groups, and the first one's momentum, before each step."""
    rates, momentums = [], []
    for _ in range(steps):
        group = scheduler.optimizer.param_groups[0]
        rates.append([each["lr"] for each in scheduler.optimizer.param_groups])
        momentums.append(group["betas"][0] if "betas" in group else group["momentum"])
        scheduler.optimizer.step()
        scheduler.step()
    return rates, momentums


def lr_schedule(name, *phases, total=40, warmup=0.1, **options):
    wanted = Hyperparameters(
        learning_rate=BASE, lr_scheduler_type=name, lr_scheduler_kwargs=options or None, warmup_steps=warmup
    )
    return lr_schedule_of(wanted, phase_schedule(*(phases or [WHOLE]), total=total))


@pytest.mark.parametrize("steps", [5, 12, 40, 101])
@pytest.mark.parametrize("said", [{}, {"pct_start": 0.4, "div": 10, "div_final": 1000, "moms": [0.9, 0.7, 0.9]}])
def test_one_cycle_is_torchs(steps, said):
    ours = walked(ScheduledLR(optimizer(), lr_schedule("one_cycle", total=steps, **said)), steps)
    div, final, moms = said.get("div", 25), said.get("div_final", 1e5), said.get("moms", [0.95, 0.85, 0.95])
    torchs = OneCycleLR(
        optimizer(), [BASE * 0.1, BASE], total_steps=steps, pct_start=float(said.get("pct_start", 0.25)),
        div_factor=div, final_div_factor=final / div, max_momentum=moms[0], base_momentum=moms[1],
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rates, momentums = walked(torchs, steps)
    assert ours[0] == [pytest.approx(pair, abs=1e-12, rel=1e-9) for pair in rates]
    assert ours[1] == pytest.approx(momentums, abs=1e-9)


def test_one_cycle_by_the_papers_figures():
    shape = [one_cycle(step, 100, (1 / 25, 1, 1e-5), 0.25) for step in range(100)]
    assert (shape[0], shape[24], shape[99]) == (pytest.approx(0.04), 1, pytest.approx(1e-5))
    assert shape[12] == pytest.approx(0.04 + 0.96 / 2)
    assert shape.index(max(shape)) == 24


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_one_cycle_of_a_few_steps_begins_at_the_peak(steps):
    # torch divides by 0 in four steps, and gives one step alone the lowest rate.
    assert one_cycle(0, steps, (1 / 25, 1, 1e-5), 0.25) == 1
    assert one_cycle(steps + 3, steps, (1 / 25, 1, 1e-5), 0.25) == pytest.approx(1e-5)


def test_the_slanted_triangle_is_the_papers_formula():
    steps, cut_frac, ratio = 200, 0.1, 32
    cut = math.floor(steps * cut_frac)
    ours = slanted_triangular(steps, cut_frac, ratio)
    for t in range(steps):
        p = t / cut if t < cut else 1 - (t - cut) / (cut * (1 / cut_frac - 1))
        assert ours(t) == pytest.approx((1 + p * (ratio - 1)) / ratio, abs=1e-12)
    assert ours(20) == 1


@pytest.mark.parametrize("steps", [1, 5, 15, 29])
def test_the_slanted_triangle_never_falls_below_its_lowest_rate(steps):
    # With a rounded cut the paper's formula ends below 0.
    shape = [slanted_triangular(steps, 0.1, 32)(step) for step in range(steps + 5)]
    assert min(shape) >= 1 / 32
    assert max(shape) == 1


LIBRARY = [name for name in typing.get_args(Scheduler) if name not in {*BY_METRIC, "one_cycle", "slanted_triangular"}]


@pytest.mark.parametrize("name", LIBRARY)
def test_transformers_schedules_are_theirs_to_the_bit(name):
    options = NEEDED.get(name, {})
    ours, _ = walked(ScheduledLR(optimizer(), lr_schedule(name, **options)))
    theirs, _ = walked(get_scheduler(name, optimizer(), 4, 40, options))
    assert ours == theirs


@pytest.mark.parametrize("name", BY_METRIC)
def test_schedules_by_the_metric_are_left_to_transformers(name):
    assert lr_schedule(name) is None


def test_a_phase_with_its_own_rate_scales_all_groups_alike():
    found, _ = walked(ScheduledLR(optimizer(), lr_schedule("linear", WHOLE, (10, 2e-4, False), warmup=0)))
    expected = [(1e-3 if step < 10 else 2e-4) * (40 - step) / 40 for step in range(40)]
    assert [pair[1] for pair in found] == pytest.approx(expected)
    assert [pair[0] for pair in found] == pytest.approx([rate / 10 for rate in expected])


def test_a_phase_that_restarts_runs_the_shape_over_its_own_steps():
    found = lr_schedule("linear", WHOLE, (10, 5e-4, True), (25, None, False), warmup=0.2)
    first = [found.rate(step) for step in range(10)]
    assert first == pytest.approx([0, 0.5, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8])
    # 30 steps: up in 6 of them at half the rate, and the third phase goes on where the second was.
    assert found.rate(10) == 0
    assert found.rate(16) == pytest.approx(0.5)
    assert found.rate(24) == pytest.approx(0.5 * 16 / 24)
    assert found.rate(25) == pytest.approx(15 / 24)
    assert found.rate(40) == pytest.approx(0)


def test_momentum_begins_anew_with_the_phase():
    _, momentums = walked(ScheduledLR(optimizer(), lr_schedule("one_cycle", WHOLE, (20, None, True))))
    assert momentums[0] == momentums[20] == pytest.approx(0.95)
    assert momentums[4] == momentums[24] == pytest.approx(0.85)
    assert momentums[:20] == momentums[20:]


def test_an_absolute_lowest_rate_is_measured_by_the_phases_own():
    found = lr_schedule("cosine_with_min_lr", WHOLE, (20, 1e-4, True), warmup=0, min_lr=1e-5)
    assert found.rate(40) * BASE == pytest.approx(1e-5)
    assert found.rate(19) * BASE > 1e-5
    assert found.rate(20) * BASE == pytest.approx(1e-4)


def test_a_warm_up_in_steps_that_fills_a_phase_is_refused():
    with pytest.raises(ConfigurationError, match=r"warmup_steps .* as many as the phase phase 0 has or more \(10\)"):
        lr_schedule("linear", WHOLE, (10, None, True), warmup=10)


def test_a_share_of_a_phase_of_one_step_is_no_warm_up():
    found = lr_schedule("linear", WHOLE, (1, None, True), warmup=0.1)
    assert found.rate(0) == 1
    assert [found.rate(step) for step in (1, 5)] == pytest.approx([0, 1])  # 39 steps: up in four of them


@pytest.mark.parametrize("name", BY_METRIC)
@pytest.mark.parametrize("phase", [(10, 1e-4, False), (10, None, True)])
def test_phases_that_a_metric_cannot_follow_are_refused(name, phase):
    with pytest.raises(ConfigurationError, match=f"{name} follows the metric, but phase 1"):
        lr_schedule(name, WHOLE, phase)


def test_an_optimizer_with_groups_of_its_own_knows_no_phases():
    with pytest.raises(ConfigurationError, match="hyperparameters.optim .*lomo .* knows no phases"):
        lr_schedule_of(Hyperparameters(optim="lomo"), phase_schedule(WHOLE, (10, None, False)))


@pytest.mark.parametrize(("name", "options"), [("cosine_with_min_lr", {}), ("polynomial", {"lr_end": 1}),
                                           ("cosine", {"num_cycles": "x"})])  # fmt: skip
def test_options_that_transformers_refuses_are_told_before_training(name, options):
    with pytest.raises(ConfigurationError, match=f"lr_scheduler_kwargs .*{name} does not take these"):
        lr_schedule(name, **options)


def test_momentum_of_sgd_moves_only_where_it_has_some():
    with_momentum = optimizer(torch.optim.SGD, momentum=0.9)
    assert walked(ScheduledLR(with_momentum, lr_schedule("one_cycle")))[1][9] == pytest.approx(0.85)
    without = optimizer(torch.optim.SGD)
    assert set(walked(ScheduledLR(without, lr_schedule("one_cycle")))[1]) == {0}


def test_momentum_that_was_asked_for_needs_an_optimizer_that_has_it():
    asked = lr_schedule("one_cycle", moms=[0.9, 0.8, 0.9])
    with pytest.raises(ConfigurationError, match="moms .*no momentum"):
        ScheduledLR(optimizer(torch.optim.SGD), asked)
    assert lr_schedule("one_cycle", moms=None).momentum is None


@pytest.mark.parametrize("name", ["one_cycle", "slanted_triangular", "cosine"])
def test_a_saved_schedule_goes_on_to_the_bit(name, tmp_path):
    def fresh():
        return ScheduledLR(optimizer(), lr_schedule(name, WHOLE, (25, 5e-4, True)))

    whole = walked(fresh())
    cut = fresh()
    before = walked(cut, 17)
    torch.save({"schedule": cut.state_dict(), "optimizer": cut.optimizer.state_dict()}, tmp_path / "state.pt")
    resumed, saved = fresh(), torch.load(tmp_path / "state.pt", weights_only=True)
    resumed.optimizer.load_state_dict(saved["optimizer"])
    resumed.load_state_dict(saved["schedule"])
    after = walked(resumed, 23)
    assert (before[0] + after[0], before[1] + after[1]) == whole
