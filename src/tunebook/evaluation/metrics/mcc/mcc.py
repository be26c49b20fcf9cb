"""Matthews correlation as an `evaluate` module; loaded by its path, so it imports nothing of Tunebook."""

from __future__ import annotations

import datasets
import evaluate
from sklearn.metrics import matthews_corrcoef

DESCRIPTION = (
    "The correlation between labelled and predicted classes: 1 when all are right, 0 for answers that "
    "know nothing of the labels, however uneven the classes are. Gorodkin's form for several classes."
)
INPUTS = """
Args:
    predictions (list of int): predicted class numbers.
    references (list of int): labelled class numbers.

Returns:
    mcc (float): between -1 and 1; 0 when either side holds one class only.
"""
CITATION = "B. W. Matthews, 1975, doi:10.1016/0005-2795(75)90109-9; J. Gorodkin, 2004"


class Mcc(evaluate.Metric):
    """Matthews correlation coefficient."""

    def _info(self) -> evaluate.MetricInfo:
        integer = datasets.Value("int64")
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"predictions": integer, "references": integer}),
        )

    def _compute(self, predictions: list[int], references: list[int]) -> dict[str, float]:
        return {"mcc": float(matthews_corrcoef(references, predictions))}
