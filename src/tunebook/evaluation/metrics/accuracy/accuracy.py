"""Accuracy as an `evaluate` module; loaded by its path, so it imports nothing of Tunebook."""

from __future__ import annotations

import datasets
import evaluate
from sklearn.metrics import accuracy_score

DESCRIPTION = "The share of rows whose predicted class is the labelled one."
INPUTS = """
Args:
    predictions (list of int): predicted class numbers.
    references (list of int): labelled class numbers.

Returns:
    accuracy (float): between 0 and 1.
"""
CITATION = "scikit-learn, sklearn.metrics.accuracy_score"


class Accuracy(evaluate.Metric):
    """Share of right answers."""

    def _info(self) -> evaluate.MetricInfo:
        integer = datasets.Value("int64")
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"predictions": integer, "references": integer}),
        )

    def _compute(self, predictions: list[int], references: list[int]) -> dict[str, float]:
        return {"accuracy": float(accuracy_score(references, predictions))}
