"""Figures: labels are there as text, equal input gives an equal picture, nothing is read as mathematics."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from tunebook.panels import Bars, Histogram, Matrix, Panel, Scatter
from tunebook.reporting import label_panels, plots, svg


def texts(picture: str) -> list[str]:
    return ["".join(node.itertext()).strip() for node in ElementTree.fromstring(picture).iter() if "text" in node.tag]


def panel_of(references: np.ndarray, predicted: np.ndarray, names: list[str]) -> Panel:
    return label_panels.confusion(label_panels.Compared("test", [], references, predicted, names))


def confusion(references: np.ndarray, predicted: np.ndarray, names: list[str]) -> str:
    (matrix,) = panel_of(references, predicted, names).plots
    assert isinstance(matrix, Matrix)
    return plots.draw(matrix, "confusion")


def scatter(references: np.ndarray, predicted: np.ndarray) -> str:
    return plots.draw(Scatter("", references.tolist(), predicted.tolist(), ("labelled", "predicted")), "scatter")


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
    shown = texts(confusion(references, predicted, ["$a_1$", "b < c", "語"]))
    assert {"labelled", "predicted", "$a_1$", "b < c", "語"} <= set(shown)
    assert sorted(text for text in shown if text.isdigit()) == ["1", "1", "1", "1", "2"]


def test_confusion_shades_by_row():
    picture = confusion(np.array([0, 0, 0, 0, 1]), np.array([0, 1, 1, 1, 1]), ["a", "b"])
    # Shares 1/4, 3/4, 0, 1; the shade is the root.
    assert "opacity: 0.5" in picture
    assert f"opacity: {np.sqrt(0.75):.6f}"[:15] in picture


def test_a_class_without_rows_is_drawn():
    assert "never" in texts(confusion(np.array([0]), np.array([0]), ["a", "never"]))


def test_many_classes_become_a_table():
    names = [f"<i>{number}</i>" for number in range(40)]
    references, predicted = np.array([5, 3, 3, 3, 7]), np.array([6, 4, 4, 3, 7])
    panel = panel_of(references, predicted, names)
    assert panel.plots == []
    assert panel.tables[0].rows == [[names[3], names[4], 2, "66.7%"], [names[5], names[6], 1, "100.0%"]]
    assert panel_of(references, references, names).tables[0].rows == []


@pytest.mark.parametrize("size", [30, 31])
def test_the_border_between_picture_and_table(size):
    panel = panel_of(np.arange(size), np.arange(size), [str(number) for number in range(size)])
    assert (len(panel.plots), len(panel.tables)) == ((1, 0) if size == 30 else (0, 1))


@pytest.mark.parametrize("plot", [
    Bars("Shares $x$", ["<a>", "b"], {"train": [40.0, 60.0], "test": [50.0, 50.0]}, "% of rows"),
    Histogram("Shares $x$", [0.0, 1.0, 2.0], {"train": [0.5, 0.5], "test": [0.1, 0.9]}, "% of rows", {"<a>": 2.0}),
])  # fmt: skip
def test_bars_and_histograms_name_their_series(plot):
    assert {"Shares $x$", "% of rows", "train", "test", "<a>"} <= set(texts(plots.draw(plot, "p")))


def test_long_names_are_shortened():
    assert "a" * 21 + "…" in texts(confusion(np.array([0]), np.array([0]), ["a" * 80]))


def test_pictures_are_deterministic_and_share_no_ids():
    curve, again = (plots.learning_curve(HISTORY, "accuracy") for _ in range(2))
    assert curve == again
    matrix = confusion(np.array([0, 1]), np.array([0, 1]), ["a", "b"])
    ids = [
        [node.get("id") for node in ElementTree.fromstring(picture).iter() if node.get("id")]
        for picture in (curve, matrix)
    ]
    assert all(ids)
    assert not set(ids[0]) & set(ids[1])


def test_ink_follows_the_page():
    picture = plots.learning_curve(HISTORY, "accuracy")
    assert "currentColor" in picture
    assert svg.INK not in picture


def test_a_scatter_has_a_point_for_every_row():
    truth = np.array([0.0, 1.0, 5.0])
    picture = scatter(truth, truth[::-1])
    assert {"labelled", "predicted"} <= set(texts(picture))
    assert picture == scatter(truth, truth[::-1])
    assert points(picture) == 3


def test_a_scatter_of_very_many_rows_shows_some_and_says_so():
    truth = np.linspace(0, 1, plots.MOST_POINTS + 500)
    picture = scatter(truth, truth)
    assert points(picture) == plots.MOST_POINTS
    assert "2,000 of 2,500 rows" in texts(picture)


def points(picture: str) -> int:
    (cloud,) = [node for node in ElementTree.fromstring(picture).iter() if "PathCollection" in node.get("id", "")]
    return sum("use" in node.tag for node in cloud.iter())
