"""Pearson's correlation as an `evaluate` module; loaded by its path, so it imports nothing of Tunebook."""

from __future__ import annotations

import datasets
import evaluate
from scipy.stats import pearsonr

DESCRIPTION = "How nearly answered and labelled numbers lie on a rising line (Pearson's r)."
INPUTS = """
Args:
    predictions (list of float): answered numbers.
    references (list of float): labelled numbers.

Returns:
    pearson (float): between -1 and 1. Numbers that are all equal are correlated with nothing: 0.
"""
CITATION = "SciPy, scipy.stats.pearsonr"


class Pearson(evaluate.Metric):
    """How nearly answered and labelled numbers lie on a rising line (Pearson's r)."""

    def _info(self) -> evaluate.MetricInfo:
        each = datasets.Value("float64")
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"predictions": each, "references": each}),
        )

    def _compute(self, predictions: list[float], references: list[float]) -> dict[str, float]:
        if len(set(predictions)) < 2 or len(set(references)) < 2:
            return {"pearson": 0.0}
        return {"pearson": float(pearsonr(predictions, references).statistic)}
