"""Mean squared error as an `evaluate` module; loaded by its path, so it imports nothing of Tunebook."""

from __future__ import annotations

import datasets
import evaluate
from sklearn.metrics import mean_squared_error, root_mean_squared_error

DESCRIPTION = "The mean squared distance between answered and labelled number, or its root."
INPUTS = """
Args:
    predictions (list of float): answered numbers.
    references (list of float): labelled numbers.
    root (bool, default False): its root, in the label's unit.

Returns:
    mse (float): 0 or more.
"""
CITATION = "scikit-learn, sklearn.metrics.mean_squared_error"


class MSE(evaluate.Metric):
    """The mean squared distance between answered and labelled number, or its root."""

    def _info(self) -> evaluate.MetricInfo:
        each = datasets.Value("float64")
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"predictions": each, "references": each}),
        )

    def _compute(self, predictions: list[float], references: list[float], root: bool = False) -> dict[str, float]:
        error = root_mean_squared_error if root else mean_squared_error
        return {"mse": float(error(references, predictions))}
