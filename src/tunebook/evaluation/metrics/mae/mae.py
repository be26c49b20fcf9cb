"""Mean absolute error as an `evaluate` module; loaded by its path, so it imports nothing of Tunebook."""

from __future__ import annotations

import datasets
import evaluate
from sklearn.metrics import mean_absolute_error

DESCRIPTION = "The mean distance between answered and labelled number."
INPUTS = """
Args:
    predictions (list of float): answered numbers.
    references (list of float): labelled numbers.

Returns:
    mae (float): 0 or more, in the label's unit.
"""
CITATION = "scikit-learn, sklearn.metrics.mean_absolute_error"


class MAE(evaluate.Metric):
    """The mean distance between answered and labelled number."""

    def _info(self) -> evaluate.MetricInfo:
        each = datasets.Value("float64")
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"predictions": each, "references": each}),
        )

    def _compute(self, predictions: list[float], references: list[float]) -> dict[str, float]:
        return {"mae": float(mean_absolute_error(references, predictions))}
