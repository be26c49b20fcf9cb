"""R² as an `evaluate` module; loaded by its path, so it imports nothing of Tunebook."""

from __future__ import annotations

import datasets
import evaluate
from sklearn.metrics import r2_score

DESCRIPTION = "The share of the labels' variance that the answers explain."
INPUTS = """
Args:
    predictions (list of float): answered numbers.
    references (list of float): labelled numbers.

Returns:
    r2 (float): 1 at best; 0 is what answering the mean would give, and what one row alone gets.
"""
CITATION = "scikit-learn, sklearn.metrics.r2_score"


class R2(evaluate.Metric):
    """The share of the labels' variance that the answers explain."""

    def _info(self) -> evaluate.MetricInfo:
        each = datasets.Value("float64")
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"predictions": each, "references": each}),
        )

    def _compute(self, predictions: list[float], references: list[float]) -> dict[str, float]:
        return {"r2": float(r2_score(references, predictions)) if len(references) > 1 else 0.0}
