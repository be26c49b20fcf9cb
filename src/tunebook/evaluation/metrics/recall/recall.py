"""Recall as an `evaluate` module; loaded by its path, so it imports nothing of Tunebook."""

from __future__ import annotations

from typing import Any

import datasets
import evaluate
from sklearn.metrics import recall_score

DESCRIPTION = "The share of rows labelled as a class that are predicted so, per class, then averaged."
INPUTS = """
Args:
    predictions (list of int): predicted class numbers; with the configuration `multilabel` a list of 0 and 1 a row.
    references (list of int): the labelled ones, in the same form.
    average (str, default 'macro'): 'macro' counts every class alike, 'weighted' by its labelled rows,
        'micro' counts every decision alike, 'samples' every row (`multilabel` only).
    labels (list of int, default all): the classes that count.

Returns:
    recall (float): between 0 and 1. A class (a row, for 'samples') that is never labelled counts 0.
"""
CITATION = "scikit-learn, sklearn.metrics.recall_score"


class Recall(evaluate.Metric):
    """Recall, averaged over classes."""

    def _info(self) -> evaluate.MetricInfo:
        one = datasets.Value("int64")
        many = self.config_name == "multilabel"
        each = datasets.Sequence(one) if many else one
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"predictions": each, "references": each}),
        )

    def _compute(
        self, predictions: list[Any], references: list[Any], average: str = "macro", labels: list[int] | None = None
    ) -> dict[str, float]:
        value = recall_score(references, predictions, average=average, labels=labels, zero_division=0)
        return {"recall": float(value)}
