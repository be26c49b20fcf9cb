"""What a curve suggests: figures that can be checked by hand."""

import numpy as np
import pytest

from tunebook.training.rate_suggestions import smoothed, suggestions

RATES = [1e-7 * 1e8 ** (step / 100) for step in range(100)]


def test_the_running_mean_is_corrected_for_its_start():
    assert smoothed([2.0, 2.0, 2.0]) == pytest.approx([2, 2, 2])
    # (0.98 * 0.02 * 1 + 0.02 * 3) / (1 - 0.98**2)
    assert smoothed([1.0, 3.0]) == pytest.approx([1, (0.0196 + 0.06) / 0.0396])


def test_a_curve_that_falls_in_its_middle():
    # Flat up to step 40, down to step 70, up again.
    losses = [1.0] * 40 + [1 - 0.01 * at for at in range(1, 31)] + [0.7 + 0.1 * at for at in range(1, 31)]
    found = suggestions(RATES, losses, 100)
    # The fall has 31 points, steps 39 to 69, and begins to count one before them: 38 + 31 // 3 + 31 // 6.
    assert found["valley"] == pytest.approx(RATES[69 - 31 + 10 + 5])
    assert found["minimum / 10"] == pytest.approx(RATES[69] / 10)
    assert RATES[39] <= found["steepest"] <= RATES[69]


def test_the_steepest_place_of_a_curve():
    losses = [1.0 - 0.001 * at for at in range(100)]
    losses[60:] = [loss - 0.2 for loss in losses[60:]]
    assert suggestions(RATES, losses, 100)["steepest"] == pytest.approx(RATES[59])


def test_a_steep_fall_after_the_lowest_loss_does_not_count():
    losses = [1.0 - 0.001 * at for at in range(70)] + [5.0] * 10 + [3.0] * 20
    assert RATES[10] <= suggestions(RATES, losses, 100)["steepest"] <= RATES[69]


def test_short_bumps_do_not_break_the_valley():
    draw = np.random.default_rng(0)
    smooth = [1.0] * 30 + [1 - 0.02 * at for at in range(1, 41)] + [0.3 + 0.2 * at for at in range(1, 31)]
    clean = suggestions(RATES, smooth, 100)["valley"]
    rough = suggestions(RATES, list(np.asarray(smooth) + draw.normal(0, 0.01, 100)), 100)["valley"]
    assert clean / 3 < rough < clean * 3


@pytest.mark.parametrize("losses", [[1.0] * 20, [1.0 + 0.1 * at for at in range(100)]], ids=["short", "rising"])
def test_curves_that_show_nothing_suggest_nothing(losses):
    assert suggestions(RATES[: len(losses)], losses, 100) == {}


def test_the_first_tenth_and_the_last_five_points_are_left_out():
    losses = [0.0] * 5 + [1.0 - 0.001 * at for at in range(90)] + [-9.0] * 5
    assert suggestions(RATES, losses, 100)["minimum / 10"] == pytest.approx(RATES[94] / 10)
