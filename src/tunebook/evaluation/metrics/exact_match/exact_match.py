"""Exact match as an `evaluate` module; loaded by its path, so it imports nothing of Tunebook."""

from __future__ import annotations

import datasets
import evaluate
from sklearn.metrics import accuracy_score

DESCRIPTION = "The share of rows whose labels are all right, none missing and none too many."
INPUTS = """
Args:
    predictions (list of lists of int): 0 or 1 of each label, row by row.
    references (list of lists of int): the labelled ones, in the same form.

Returns:
    exact_match (float): between 0 and 1; also called subset accuracy.
"""
CITATION = "scikit-learn, sklearn.metrics.accuracy_score"


class ExactMatch(evaluate.Metric):
    """The share of rows whose labels are all right, none missing and none too many."""

    def _info(self) -> evaluate.MetricInfo:
        each = datasets.Sequence(datasets.Value("int64"))
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"predictions": each, "references": each}),
        )

    def _compute(self, predictions: list[list[int]], references: list[list[int]]) -> dict[str, float]:
        return {"exact_match": float(accuracy_score(references, predictions))}
