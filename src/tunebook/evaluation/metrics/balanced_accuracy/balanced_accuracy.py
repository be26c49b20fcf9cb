"""Balanced accuracy as an `evaluate` module; loaded by its path, so it imports nothing of Tunebook."""

from __future__ import annotations

import warnings

import datasets
import evaluate
from sklearn.metrics import balanced_accuracy_score

DESCRIPTION = "The mean of every class's recall, over the classes that are labelled."
INPUTS = """
Args:
    predictions (list of int): predicted class numbers.
    references (list of int): labelled class numbers.

Returns:
    balanced_accuracy (float): between 0 and 1.
"""
CITATION = "scikit-learn, sklearn.metrics.balanced_accuracy_score"


class BalancedAccuracy(evaluate.Metric):
    """The mean of every class's recall, over the classes that are labelled."""

    def _info(self) -> evaluate.MetricInfo:
        each = datasets.Value("int64")
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"predictions": each, "references": each}),
        )

    def _compute(self, predictions: list[int], references: list[int]) -> dict[str, float]:
        with warnings.catch_warnings():
            # A class that is predicted and never labelled has no recall and is left out, as described.
            warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
            return {"balanced_accuracy": float(balanced_accuracy_score(references, predictions))}
