"""ROC AUC as an `evaluate` module; loaded by its path, so it imports nothing of Tunebook."""

from __future__ import annotations

from typing import Any

import datasets
import evaluate
import numpy as np
from sklearn.metrics import roc_auc_score

DESCRIPTION = "The chance that a labelled row is scored above one that is not: the area under the ROC curve."
INPUTS = """
Args:
    prediction_scores (list of float): of each row for the positive class, the higher the likelier; with the
        configuration `multilabel` one of each label.
    references (list of int): 1 where a row is labelled so, else 0, in the same form.

Returns:
    roc_auc (float): between 0 and 1; of several labels the mean over those that some rows have and some
        have not; 0.5 where there is none.
"""
CITATION = "scikit-learn, sklearn.metrics.roc_auc_score"


class RocAuc(evaluate.Metric):
    """The chance that a labelled row is scored above one that is not: the area under the ROC curve."""

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
        told_apart = [at for at in range(labels.shape[1]) if 0 < labels[:, at].sum() < len(labels)]
        each = [roc_auc_score(labels[:, at], scores[:, at]) for at in told_apart]
        return {"roc_auc": float(np.mean(each)) if each else 0.5}
