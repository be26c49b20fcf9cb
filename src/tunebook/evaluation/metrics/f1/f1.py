"""F1 as an `evaluate` module; loaded by its path, so it imports nothing of Tunebook."""

from __future__ import annotations

import datasets
import evaluate
from sklearn.metrics import f1_score

DESCRIPTION = "The harmonic mean of precision and recall, per class, then averaged."
INPUTS = """
Args:
    predictions (list of int): predicted class numbers.
    references (list of int): labelled class numbers.
    average (str, default 'macro'): 'macro' counts every class alike, 'weighted' by its labelled rows,
        'micro' counts every row alike.

Returns:
    f1 (float): between 0 and 1. A class counts 0 when the class is neither predicted nor labelled.
"""
CITATION = "scikit-learn, sklearn.metrics.f1_score"


class F1(evaluate.Metric):
    """F1, averaged over classes."""

    def _info(self) -> evaluate.MetricInfo:
        integer = datasets.Value("int64")
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"predictions": integer, "references": integer}),
        )

    def _compute(self, predictions: list[int], references: list[int], average: str = "macro") -> dict[str, float]:
        value = f1_score(references, predictions, average=average, zero_division=0)
        return {"f1": float(value)}
