"""The page of a sweep: suggestions, a curve with a logarithmic axis, and what to type."""

import dataclasses
import json
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import pytest

from tests.training.rates_material import wanted
from tunebook.models.policies.base import Phase
from tunebook.reporting import lr_page
from tunebook.training.lr_finder import Range, Sweep
from tunebook.training.phase_schedule import TimedPhase


def sweep_of(suggestions, rate=None, name=""):
    rates = [Range().rate(step) for step in range(90)]
    losses = [1.0 - 0.005 * step if step < 70 else 0.65 + 0.2 * (step - 70) for step in range(90)]
    phase = TimedPhase(SimpleNamespace(phase=Phase(name, [], None, rate)), 0, 10)
    return Sweep(Range(), rates, losses, losses, "after <100> steps", suggestions, phase, base=1e-3)


FOUND = {"valley": 1.2345e-4, "steepest": 4e-4, "minimum / 10": 1e-3}


def test_table_and_page_tell_the_suggestions(tmp_path):
    sweep = sweep_of(FOUND)
    told = lr_page.advice(sweep, wanted())
    assert told == ["To train at the first of them: hyperparameters.learning_rate=1.2e-04"]
    table = lr_page.sweep_table(sweep, told)
    assert all(
        text in table for text in ("1.2e-04", "steepest", "4.0e-04", "The sweep ended after <100> steps.", *told)
    )
    lr_page.write_sweep(tmp_path, sweep, "a <b> c", told)
    page = (tmp_path / "lr_finder.html").read_text()
    assert "Learning rates for a &lt;b&gt; c" in page
    assert "after &lt;100&gt; steps" in page
    assert told[0] in page
    found = json.loads((tmp_path / "lr_finder.json").read_text())
    assert found["suggestions"] == FOUND
    assert found["curve"][1] == {"learning_rate": sweep.rates[1], "loss": 0.995, "smoothed": 0.995}


def test_a_curve_that_hardly_falls_is_doubted():
    sweep = sweep_of(FOUND)
    flat = dataclasses.replace(sweep, smoothed=[1.0 + (loss - 1.0) * 0.09 for loss in sweep.smoothed])
    assert sweep.fall == pytest.approx(0.35)
    assert "The loss falls by 3." in lr_page.advice(flat, wanted())[-1]
    assert "only" not in lr_page.advice(sweep, wanted())[-1]


def test_the_curve_marks_every_suggestion_on_an_axis_of_powers_of_ten():
    svg = lr_page.curve(sweep_of(FOUND))
    shown = ["".join(node.itertext()).strip() for node in ElementTree.fromstring(svg).iter() if "text" in node.tag]
    assert {"valley: 1.2e-04", "steepest: 4.0e-04", "minimum / 10: 1.0e-03", "smoothed", "learning rate"} <= set(shown)
    assert {"1e-07", "1e-04", "1e-01"} <= set(shown)
    assert not any("$" in text for text in shown)
    assert svg == lr_page.curve(sweep_of(FOUND))


def test_a_curve_without_a_suggestion_says_so(tmp_path):
    sweep = sweep_of({})
    told = lr_page.advice(sweep, wanted())
    assert "No suggestion" in told[0]
    assert "No suggestion" in lr_page.sweep_table(sweep, told)
    lr_page.write_sweep(tmp_path, sweep, "x", told)
    assert 'class="warning">No suggestion' in (tmp_path / "lr_finder.html").read_text()


def test_a_phase_with_its_own_rate_is_set_where_it_is_said():
    [told] = lr_page.advice(sweep_of(FOUND, rate=5e-3, name="head"), wanted())
    assert told == "The phase head has a base rate of its own, 0.005: set it in `freezing`."


@pytest.mark.parametrize("rate", [None, 2e-3])
def test_rates_given_as_figures_are_told_to_rise_alike(rate):
    said = wanted(lowest_learning_rate=1e-5, learning_rates=[{"pattern": "a", "learning_rate": 0},
                                                             {"pattern": "b", "learning_rate": 2e-3}])  # fmt: skip
    factor = 1.2345e-4 / (rate or 1e-3)
    assert lr_page.advice(sweep_of(FOUND, rate), said)[1].endswith(
        f"lowest_learning_rate={1e-5 * factor:.1e}, learning_rates.1.learning_rate={2e-3 * factor:.1e}."
    )
