"""Average precision as an `evaluate` module; loaded by its path, so it imports nothing of Tunebook."""

from __future__ import annotations

import warnings
from typing import Any

import datasets
import evaluate
import numpy as np
from sklearn.metrics import average_precision_score

DESCRIPTION = (
    "The precision at every recall, as the threshold falls: the area under the precision-recall curve, by steps."
)
INPUTS = """
Args:
    prediction_scores (list of float): of each row for the positive class, the higher the likelier; with the
        configuration `multilabel` one of each label.
    references (list of int): 1 where a row is labelled so, else 0, in the same form.

Returns:
    average_precision (float): between 0 and 1; of several labels the mean, where one without a labelled row counts 0.
"""
CITATION = "scikit-learn, sklearn.metrics.average_precision_score"


class AveragePrecision(evaluate.Metric):
    """The precision at every recall, as the threshold falls: the area under the precision-recall curve, by steps."""

    def _info(self) -> evaluate.MetricInfo:
        score, label = datasets.Value("float64"), datasets.Value("int64")
        if self.config_name == "multilabel":
            score, label = datasets.Sequence(score), datasets.Sequence(label)
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"prediction_scores": score, "references": label}),
        )

    def _compute(self, prediction_scores: list[Any], references: list[Any]) -> dict[str, float]:
        scores, labels = np.asarray(prediction_scores), np.asarray(references)
        if scores.ndim == 1:
            scores, labels = scores[:, None], labels[:, None]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No positive class found in y_true")
            each = [average_precision_score(labels[:, at], scores[:, at]) for at in range(labels.shape[1])]
        return {"average_precision": float(np.mean(each))}
