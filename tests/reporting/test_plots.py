"""Figures: labels are there as text, equal input gives an equal picture, nothing is read as mathematics."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from tunebook.reporting import plots


def texts(svg: str) -> list[str]:
    return ["".join(node.itertext()).strip() for node in ElementTree.fromstring(svg).iter() if "text" in node.tag]


HISTORY = [
    {"loss": 0.9, "step": 10},
    {"eval_loss": 0.8, "eval_accuracy": 0.6, "step": 20},
    {"eval_loss": 0.7, "eval_accuracy": 0.7, "step": 40},
]


@pytest.mark.parametrize("monitor", ["accuracy", "eval_accuracy"])
def test_learning_curve_says_what_it_shows(monitor):
    shown = texts(plots.learning_curve(HISTORY, monitor))
    assert {"training", "evaluation", "step", "loss", "accuracy", "accuracy by step"} <= set(shown)


@pytest.mark.parametrize("monitor", ["", "loss", "eval_loss", "never_logged"])
def test_learning_curve_without_a_metric(monitor):
    shown = texts(plots.learning_curve(HISTORY, monitor))
    assert "loss by step" in shown
    assert not any("accuracy" in text for text in shown)


def test_learning_curve_of_nothing():
    assert "nothing was logged" in texts(plots.learning_curve([]))


def test_confusion_prints_counts_and_names():
    references = np.array([0, 0, 0, 1, 2, 2])
    predicted = np.array([0, 0, 1, 1, 2, 0])
    shown = texts(plots.confusion(references, predicted, ["$a_1$", "b < c", "語"]))
    assert {"labelled", "predicted", "$a_1$", "b < c", "語"} <= set(shown)
    assert sorted(text for text in shown if text.isdigit()) == ["1", "1", "1", "1", "2"]


def test_confusion_shades_by_row():
    svg = plots.confusion(np.array([0, 0, 0, 0, 1]), np.array([0, 1, 1, 1, 1]), ["a", "b"])
    # Shares 1/4, 3/4, 0, 1; the shade is the root.
    assert "opacity: 0.5" in svg
    assert f"opacity: {np.sqrt(0.75):.6f}"[:15] in svg


def test_a_class_without_rows_is_drawn():
    assert "never" in texts(plots.confusion(np.array([0]), np.array([0]), ["a", "never"]))


def test_many_classes_become_a_table():
    names = [f"<i>{number}</i>" for number in range(40)]
    table = plots.confusion(np.array([3, 3, 3, 5, 7]), np.array([4, 4, 3, 6, 7]), names)
    assert table.startswith("<table")
    assert table.index("&lt;i&gt;3&lt;/i&gt;") < table.index("&lt;i&gt;5&lt;/i&gt;")
    assert "66.7%" in table
    assert "<i>" not in table
    assert "&lt;i&gt;7" not in table


@pytest.mark.parametrize("size", [30, 31])
def test_the_border_between_picture_and_table(size):
    names = [str(number) for number in range(size)]
    start = plots.confusion(np.arange(size), np.arange(size), names)[:6]
    assert start == ("<svg c" if size == 30 else "<table")


def test_long_names_are_shortened():
    assert "a" * 21 + "…" in texts(plots.confusion(np.array([0]), np.array([0]), ["a" * 80]))


def test_pictures_are_deterministic_and_share_no_ids():
    curve, again = (plots.learning_curve(HISTORY, "accuracy") for _ in range(2))
    assert curve == again
    matrix = plots.confusion(np.array([0, 1]), np.array([0, 1]), ["a", "b"])
    ids = [[node.get("id") for node in ElementTree.fromstring(svg).iter() if node.get("id")] for svg in (curve, matrix)]
    assert all(ids)
    assert not set(ids[0]) & set(ids[1])


def test_ink_follows_the_page():
    svg = plots.learning_curve(HISTORY, "accuracy")
    assert "currentColor" in svg
    assert plots.INK not in svg


def test_a_scatter_has_a_point_for_every_row():
    truth = np.array([0.0, 1.0, 5.0])
    svg = plots.scatter(truth, truth[::-1])
    assert {"labelled", "answered"} <= set(texts(svg))
    assert svg == plots.scatter(truth, truth[::-1])
    assert points(svg) == 3


def test_a_scatter_of_very_many_rows_shows_some_and_says_so():
    truth = np.linspace(0, 1, plots.MOST_POINTS + 500)
    svg = plots.scatter(truth, truth)
    assert points(svg) == plots.MOST_POINTS
    assert "2,000 of 2,500 rows" in texts(svg)


def points(svg: str) -> int:
    (cloud,) = [node for node in ElementTree.fromstring(svg).iter() if "PathCollection" in node.get("id", "")]
    return sum("use" in node.tag for node in cloud.iter())
