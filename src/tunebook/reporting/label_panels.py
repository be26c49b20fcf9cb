"""Panels of predicted labels: confusion, figures of each label, the worst rows. Knows arrays and rows, no task or page.

`single_label`, `multi_label` and `regression` give all panels of a split; their parts can be used alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def single_label(
    split: str,
    rows: Dataset,
    references: np.ndarray,
    predictions: np.ndarray,
    names: Sequence[str],
    probabilities: np.ndarray,
    thresholds: Thresholds | None = None,
) -> list[Panel]:
    """Confusion, each label where there are thresholds, and the surest mistakes.

    Args:
        split: its name.
        rows: of the split, in the order of the arrays.
        references: class ids, (rows,).
        predictions: class ids, (rows,).
        names: of the classes, in the order of their ids.
        probabilities: of the predicted class, (rows,).
        thresholds: of the run.
    """
    wrong = np.flatnonzero(references != predictions)
    surest = worst_rows(
        f"Surest mistakes on {split}",
        split,
        rows,
        wrong[np.argsort(-probabilities[wrong], kind="stable")],
        lambda at: names[int(references[at])],
        lambda at: {"predicted": names[int(predictions[at])], "probability": f"{probabilities[at]:.1%}"},
    )
    each = [] if thresholds is None else [each_label(split, references, predictions, names, thresholds)]
    return [confusion(split, references, predictions, names), *each, surest]


def multi_label(
    split: str,
    rows: Dataset,
    references: np.ndarray,
    predictions: np.ndarray,
    names: Sequence[str],
    losses: np.ndarray,
    thresholds: Thresholds | None = None,
) -> list[Panel]:
    """Each label, and the wrong rows with the largest loss.

    Args:
        split: its name.
        rows: of the split, in the order of the arrays.
        references: 0 or 1 of each label, (rows, labels).
        predictions: 0 or 1 of each label, (rows, labels).
        names: of the labels, in the order of their ids.
        losses: (rows,).
        thresholds: of the run.
    """

    def described(indicators: np.ndarray) -> str:
        return ", ".join(names[label] for label in np.flatnonzero(indicators)) or "–"

    wrong = np.flatnonzero((references != predictions).any(axis=1))
    worst = worst_rows(
        f"Worst mistakes on {split}",
        split,
        rows,
        wrong[np.argsort(-np.abs(losses[wrong]), kind="stable")],
        lambda at: described(references[at]),
        lambda at: {"predicted": described(predictions[at]), "loss": figure(float(losses[at]))},
    )
    return [each_label(split, references, predictions, names, thresholds), worst]


def regression(split: str, rows: Dataset, references: np.ndarray, predictions: np.ndarray) -> list[Panel]:
    """Predictions by references, and the rows with the largest error.

    Args:
        split: its name.
        rows: of the split, in the order of the arrays.
        references: numbers, (rows,).
        predictions: numbers, (rows,).
    """
    errors = predictions - references
    wrong = np.flatnonzero(errors != 0)
    plot = Scatter("", references.tolist(), predictions.tolist(), ("labelled", "predicted"))
    note = "One point a row; on the line both are equal."
    return [
        Panel(f"Predicted and labelled numbers on {split}", note, plots=[plot], key="scatter"),
        worst_rows(
            f"Largest errors on {split}",
            split,
            rows,
            wrong[np.argsort(-np.abs(errors[wrong]), kind="stable")],
            lambda at: f"{float(references[at]):.4g}",
            lambda at: {"predicted": f"{float(predictions[at]):.4g}", "error": f"{float(errors[at]):+.4g}"},
        ),
    ]


def confusion(split: str, references: np.ndarray, predictions: np.ndarray, names: Sequence[str]) -> Panel:
    """Which class was predicted for which: a matrix; beyond 30 classes a table of the most frequent confusions.

    Args:
        split: its name.
        references: class ids, (rows,).
        predictions: class ids, (rows,).
        names: of the classes, in the order of their ids.
    """
    title = f"Confusion on {split}"
    if len(names) > MOST_CLASSES:
        table = _pairs(references, predictions, names)
        return Panel(title, "The most frequent confusions.", tables=[table], key="confusion")
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, (references, predictions), 1)
    note = "Counts of rows; the stronger the colour, the larger the share of the labelled class."
    return Panel(title, note, plots=[Matrix("", list(names), counts)], key="confusion")


def _pairs(references: np.ndarray, predictions: np.ndarray, names: Sequence[str]) -> Table:
    wrong = references != predictions
    support = np.bincount(references, minlength=len(names))
    # Pairs come in the order of their ids, so that ties do not depend on the order of the rows.
    pairs, counts = np.unique(np.stack([references[wrong], predictions[wrong]], axis=1), axis=0, return_counts=True)
    cells: list[list[str | int | float]] = [
        [names[truth], names[guess], int(count), f"{count / support[truth]:.1%}"]
        for (truth, guess), count in ((pairs[at], counts[at]) for at in np.argsort(-counts, kind="stable")[:MOST_PAIRS])
    ]
    return Table("", ["labelled", "predicted", "rows", "share of the class"], cells, text_columns=2)


def each_label(
    split: str,
    references: np.ndarray,
    predictions: np.ndarray,
    names: Sequence[str],
    thresholds: Thresholds | None = None,
) -> Panel:
    """Precision, recall and F1 of every label, as in the metrics 0 where there is nothing to divide by.

    Args:
        split: its name.
        references: class ids, (rows,), or 0 or 1 of each label, (rows, labels).
        predictions: in the same form.
        names: of the labels, in the order of their ids.
        thresholds: of the run; without one a label of several is predicted from 0.5 on.
    """
    from sklearn.metrics import precision_recall_fscore_support

    figures = precision_recall_fscore_support(
        references, predictions, labels=range(len(names)), average=None, zero_division=0
    )
    values, rare = (thresholds.values, thresholds.rare) if thresholds else ({}, {})
    usual = figure(UNTUNED) if references.ndim == 2 else "–"
    cells: list[list[str | int | float]] = [
        [
            name,
            *(figure(float(column[at])) for column in figures[:3]),
            int(figures[3][at]),
            (figure(values[at]) if at in values else usual) + ("*" if at in rare else ""),
        ]
        for at, name in enumerate(names)
    ]
    table = Table("", ["label", "precision", "recall", "F1", "rows", "threshold"], cells)
    note = "* too few validation rows to tune." if rare else ""
    return Panel(f"Each label on {split}", note, tables=[table], key="labels")


def worst_rows(
    title: str,
    split: str,
    rows: Dataset,
    order: Sequence[int] | np.ndarray,
    label: Callable[[int], str],
    facts: Callable[[int], dict[str, str]],
) -> Panel:
    """The first ten rows of an order, with their texts and images.

    Args:
        title: of the panel.
        split: its name.
        rows: of the split.
        order: places in `rows`, the worst first; empty: the panel says that there is none.
        label: place to its label in words.
        facts: place to what else is shown: the prediction, and last how bad it is.
    """
    examples = [Example("", [_row(split, rows[int(at)], label(int(at)), facts(int(at)))]) for at in order[:MOST_ROWS]]
    return Panel(title, WORST if examples else "None.", examples=examples, key="mistakes")


def _row(split: str, row: dict[str, Any], label: str, facts: dict[str, str]) -> Row:
    texts = [row[role] for role in ("text", "text_pair") if row.get(role) is not None]
    text = "\n— ".join(texts) if texts else None
    return Row(split, row["row"], label, text, row.get("image"), facts)
