"""F1 as an `evaluate` module; loaded by its path, so it imports nothing of Tunebook."""

from __future__ import annotations

from typing import Any

import datasets
import evaluate
from sklearn.metrics import f1_score

DESCRIPTION = "The harmonic mean of precision and recall, per class, then averaged."
INPUTS = """
Args:
    predictions (list of int): predicted class numbers; with the configuration `multilabel` a list of 0 and 1 a row.
    references (list of int): the labelled ones, in the same form.
    average (str, default 'macro'): 'macro' counts every class alike, 'weighted' by its labelled rows,
        'micro' counts every decision alike, 'samples' every row (`multilabel` only).
    labels (list of int, default all): the classes that count.

Returns:
    f1 (float): between 0 and 1. A class (a row, for 'samples') counts 0 when nothing of it is predicted or labelled.
"""
CITATION = "scikit-learn, sklearn.metrics.f1_score"


class F1(evaluate.Metric):
    """F1, averaged over classes."""

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
        value = f1_score(references, predictions, average=average, labels=labels, zero_division=0)
        return {"f1": float(value)}
