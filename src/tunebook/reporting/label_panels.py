"""Panels of predicted labels: confusion, figures of each label, the worst rows. Knows arrays and rows, no task or page.

`single_label`, `multi_label` and `regression` give all panels of a split; their parts can be used alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tunebook.evaluation.thresholds import UNTUNED, Thresholds
from tunebook.panels import Example, Matrix, Panel, Row, Scatter, Table
from tunebook.reporting.formatting import figure

if TYPE_CHECKING:
    from datasets import Dataset

MOST_CLASSES = 30
MOST_PAIRS = 25
MOST_ROWS = 10
WORST = "Look here first for wrong labels and for what the model has not understood."


@dataclass(frozen=True)
class Compared:
    """References and predictions of a split.

    Args:
        split: its name.
        rows: of the split, in the order of the arrays.
        references: class ids, (rows,); 0 or 1 of each label, (rows, labels); or numbers, (rows,).
        predictions: in the same form.
        names: of the labels, in the order of their ids; empty for numbers.
        thresholds: of the run; None: it has none.
    """

    split: str
    rows: Dataset
    references: np.ndarray
    predictions: np.ndarray
    names: Sequence[str] = ()
    thresholds: Thresholds | None = None


def single_label(compared: Compared, probabilities: np.ndarray) -> list[Panel]:
    """Confusion of class ids, each label where there are thresholds, the surest mistakes; probabilities: (rows,)."""
    references, predictions, names = compared.references, compared.predictions, compared.names
    surest = worst_rows(
        "Surest mistakes",
        compared,
        probabilities,
        lambda at: names[int(references[at])],
        lambda at: {"predicted": names[int(predictions[at])], "probability": f"{probabilities[at]:.1%}"},
    )
    each = [] if compared.thresholds is None else [each_label(compared)]
    return [confusion(compared), *each, surest]


def multi_label(compared: Compared, losses: np.ndarray) -> list[Panel]:
    """Each label, and the wrong rows with the largest loss; losses: (rows,)."""

    def described(indicators: np.ndarray) -> str:
        return ", ".join(compared.names[int(label)] for label in np.flatnonzero(indicators)) or "–"

    worst = worst_rows(
        "Worst mistakes",
        compared,
        losses,
        lambda at: described(compared.references[at]),
        lambda at: {"predicted": described(compared.predictions[at]), "loss": figure(float(losses[at]))},
    )
    return [each_label(compared), worst]


def regression(compared: Compared) -> list[Panel]:
    """Predictions by references, and the rows with the largest error."""
    references, predictions = compared.references, compared.predictions
    errors = predictions - references
    plot = Scatter("", references.tolist(), predictions.tolist(), ("labelled", "predicted"))
    title, note = f"Predicted and labelled numbers on {compared.split}", "One point a row; on the line both are equal."
    largest = worst_rows(
        "Largest errors",
        compared,
        errors,
        lambda at: f"{references[at]:.4g}",
        lambda at: {"predicted": f"{predictions[at]:.4g}", "error": f"{errors[at]:+.4g}"},
    )
    return [Panel(title, note, plots=[plot], key="scatter"), largest]


def confusion(compared: Compared) -> Panel:
    """Which class was predicted for which: a matrix; beyond 30 classes a table of the most frequent confusions."""
    title, size = f"Confusion on {compared.split}", len(compared.names)
    if size > MOST_CLASSES:
        return Panel(title, "The most frequent confusions.", tables=[_pairs(compared)], key="confusion")
    counts = np.zeros((size, size), dtype=np.int64)
    np.add.at(counts, (compared.references, compared.predictions), 1)
    note = "Counts of rows; the stronger the colour, the larger the share of the labelled class."
    return Panel(title, note, plots=[Matrix("", list(compared.names), counts)], key="confusion")


def _pairs(compared: Compared) -> Table:
    references, names = compared.references, compared.names
    wrong = references != compared.predictions
    support = np.bincount(references, minlength=len(names))
    both = np.stack([references[wrong], compared.predictions[wrong]], axis=1)
    # Pairs come in the order of their ids, so that ties do not depend on the order of the rows.
    pairs, counts = np.unique(both, axis=0, return_counts=True)
    top = np.argsort(-counts, kind="stable")[:MOST_PAIRS]
    cells: list[list[str | int | float]] = [
        [names[truth], names[guess], int(count), f"{count / support[truth]:.1%}"]
        for (truth, guess), count in zip(pairs[top].tolist(), counts[top], strict=True)
    ]
    return Table("", ["labelled", "predicted", "rows", "share of the class"], cells, text_columns=2)


def each_label(compared: Compared) -> Panel:
    """Precision, recall and F1 of every label, as in the metrics 0 where there is nothing to divide by.

    Without thresholds a label of several is predicted from 0.5 on.
    """
    from sklearn.metrics import precision_recall_fscore_support

    references, thresholds = compared.references, compared.thresholds
    precision, recall, f1, support = precision_recall_fscore_support(
        references, compared.predictions, labels=range(len(compared.names)), average=None, zero_division=0
    )
    values, rare = (thresholds.values, thresholds.rare) if thresholds else ({}, {})
    usual = figure(UNTUNED) if references.ndim == 2 else "–"
    cells: list[list[str | int | float]] = []
    for at, name in enumerate(compared.names):
        threshold = (figure(values[at]) if at in values else usual) + ("*" if at in rare else "")
        cells.append([name, figure(precision[at]), figure(recall[at]), figure(f1[at]), int(support[at]), threshold])
    table = Table("", ["label", "precision", "recall", "F1", "rows", "threshold"], cells)
    note = "* too few validation rows to tune." if rare else ""
    return Panel(f"Each label on {compared.split}", note, tables=[table], key="labels")


def worst_rows(
    title: str,
    compared: Compared,
    measures: np.ndarray,
    label: Callable[[int], str],
    facts: Callable[[int], dict[str, str]],
) -> Panel:
    """The ten wrong rows with the largest measure, with their texts and images.

    Args:
        title: what they are, without the split.
        compared: says which rows are wrong.
        measures: how bad each row is, (rows,); its sign does not count.
        label: place of a row to its label in words.
        facts: place of a row to what else is shown of it: the prediction and, last, the measure.
    """
    wrong = np.flatnonzero((compared.references != compared.predictions).reshape(len(measures), -1).any(axis=1))
    worst = wrong[np.argsort(-np.abs(measures[wrong]), kind="stable")][:MOST_ROWS].tolist()
    examples = [Example("", [row_to_show(compared.split, compared.rows[at], label(at), facts(at))]) for at in worst]
    return Panel(f"{title} on {compared.split}", WORST if examples else "None.", examples=examples, key="mistakes")


def row_to_show(split: str, row: dict[str, Any], label: str, facts: dict[str, str]) -> Row:
    """A prepared row with its texts and image; a second text is below the first."""
    texts = [row[role] for role in ("text", "text_pair") if row.get(role) is not None]
    return Row(split, row["row"], label, "\n— ".join(texts) if texts else None, row.get("image"), facts)
