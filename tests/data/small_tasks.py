"""The columns and labels of small tasks: all that `prepare` reads of a task."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tunebook.data.columns import Column
from tunebook.data.labels.multi_label import MultiLabel
from tunebook.data.labels.regression import Regression
from tunebook.data.labels.single_label import SingleLabel

TEXT = {"text": Column("text"), "text_pair": Column("text", required=False), "label": Column("label", target=True)}
IMAGE = {"image": Column("image"), "label": Column("label", target=True)}
LABELS = {"single_label": SingleLabel(), "multi_label": MultiLabel(), "regression": Regression()}


def task(columns: dict[str, Column] = TEXT, labels: Any = LABELS["single_label"]) -> SimpleNamespace:
    """A task that `prepare` takes; its column `label` is of the kind that goes with the labels."""
    kind = {"multi_label": "labels", "regression": "number"}.get(getattr(labels, "name", ""), "label")
    if "label" in columns:
        columns = {**columns, "label": Column(kind, target=True)}
    return SimpleNamespace(columns=columns, labels=labels)
