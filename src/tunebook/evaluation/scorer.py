"""From the row scores that an answer keeps to the figures of a split. Knows answers and metrics, not the Trainer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tunebook.answers.base import TARGET_TYPES, Answer, positive_id
from tunebook.errors import DataError, Problem, did_you_mean
from tunebook.evaluation.metrics import Metrics
from tunebook.evaluation.thresholds import Thresholds, tune

if TYPE_CHECKING:
    from transformers import EvalPrediction


class Scorer:
    """A `compute_metrics` for the Trainer, and the same figures at other thresholds.

    Args:
        metrics: of the run.
        answer: the kind of label.
        names: of the labels.
    """

    def __init__(self, metrics: Metrics, answer: Answer, names: Sequence[str]) -> None:
        self.metrics, self.answer, self.names = metrics, answer, list(names)

    @classmethod
    def of(cls, metrics: list[str], answer: Answer, names: Sequence[str], splits: Collection[str]) -> Scorer:
        """The scorer of a run.

        Args:
            metrics: as the recipe names them.
            answer: the kind of label.
            names: of the labels.
            splits: that there are.

        Raises:
            ConfigurationError: the metrics do not fit the labels.
            DataError: a threshold cannot be had with these labels and splits.
        """
        if found := threshold_problems(answer, names, splits):
            raise DataError(found)
        positive = positive_id(answer, list(names)) if names else 0
        return cls(Metrics(metrics, TARGET_TYPES[answer.kind], names, positive), answer, names)

    def __call__(self, outcome: EvalPrediction) -> dict[str, float]:
        """The figures without any threshold of the recipe's, as monitored while training."""
        return self.figures(np.asarray(outcome.predictions), np.asarray(outcome.label_ids))

    def figures(
        self, scores: np.ndarray, labels: np.ndarray, thresholds: Mapping[int, float] | None = None
    ) -> dict[str, float]:
        """Every metric, and the loss: the mean over all rows, exact for every batch size and number of ranks.

        Args:
            scores: (rows, k), as the answer's `row_scores`.
            labels: (rows,) or (rows, labels), as the answer's kind is.
            thresholds: label id to threshold.
        """
        answered = self.answer.answered(scores, thresholds)
        found = self.metrics.compute(answered, labels, self.answer.probabilities(scores))
        return {**found, "loss": float(scores[:, -1].astype(np.float64).mean())}

    def thresholds(self, scores: np.ndarray | None, labels: np.ndarray | None) -> Thresholds | None:
        """What the recipe wants its labels answered by; None: nothing of its own.

        Args:
            scores: of the validation rows, for `tuned`.
            labels: of the validation rows, for `tuned`.
        """
        wanted = self.answer.threshold
        if wanted is None:
            return None
        one = self.answer.kind == "class"
        ids = [positive_id(self.answer, self.names)] if one else list(range(len(self.names)))
        if wanted != "tuned":
            return Thresholds(dict.fromkeys(ids, wanted), tuned=False)
        chances = None if scores is None else self.answer.probabilities(scores)
        if chances is None or labels is None:
            raise ValueError("thresholds are tuned on the probabilities and labels of validation rows")
        labelled = labels[:, None] == np.arange(len(self.names)) if one else labels
        return tune(chances, labelled, ids)


def threshold_problems(answer: Answer, names: Sequence[str], splits: Collection[str]) -> list[Problem]:
    """Why a threshold that the recipe wants cannot be had.

    Args:
        answer: the kind of label, with the wanted threshold.
        names: of the labels.
        splits: that there are.
    """
    found = []
    if answer.kind == "class" and answer.threshold is not None and len(names) != 2:
        message = f"is for two classes, or for task.multi_label=true; here are {len(names)}: leave it out"
        found.append(Problem("task.threshold", message))
    if answer.positive is not None and answer.positive not in names:
        message = f"the data has no label {answer.positive!r}; {did_you_mean(answer.positive, names)}"
        found.append(Problem("task.positive", message))
    if answer.threshold == "tuned" and "validation" not in splits:
        message = (
            "tuned needs a validation split, and there is none: give dataset.validation, carve one with "
            "dataset.split.validation=0.1, or state a number"
        )
        found.append(Problem("task.threshold", message))
    return found
