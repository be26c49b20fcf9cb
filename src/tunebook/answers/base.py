"""What a kind of answer is. Knows logits, labels and names; nothing of tasks, models or the Trainer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    import torch

Kind = Literal["class", "classes", "number"]
Threshold = float | Literal["tuned"] | None
TARGET_TYPES = {"class": "single_label", "classes": "multi_label", "number": "regression"}
"""Kind to the name of its target type; goes away with the kinds."""
UNTUNED = 0.5
"""The probability from which on a label is answered, where nothing else is said."""


class Answer(Protocol):
    """One kind of label: from logits to scores, from scores to answers, from answers to records.

    Thresholds are a mapping from label id to the probability from which on that label is answered: one for each
    label of several, one for the positive class of two; None or empty: 0.5, or the likeliest class.

    Attributes:
        kind: `class` (one label a row), `classes` (any number of them) or `number`.
        problem_type: of the model's config.
        loss: name of the loss that goes with it (`tunebook.training.losses`).
        threshold: that the recipe wants: a number, `tuned` on validation, or None.
        positive: name of the class of two that a threshold is for; None: the last one.
    """

    kind: Kind
    problem_type: str
    loss: str
    threshold: Threshold
    positive: str | None

    def row_scores(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """What evaluation keeps of each row, float32, shape (rows, k); the last column is the row's plain loss."""

    def answered(self, scores: np.ndarray, thresholds: Mapping[int, float] | None = None) -> np.ndarray:
        """What the model answers, in the form of the labels: class ids, 0/1 of each label, or numbers."""

    def probabilities(self, scores: np.ndarray) -> np.ndarray | None:
        """The probability of each label, float64, (rows, labels); None where it is not kept or there is none."""

    def record(
        self, scores: np.ndarray, label: Any, names: list[str], thresholds: Mapping[int, float] | None = None
    ) -> dict[str, Any]:
        """One row for predictions/*.jsonl: label, predicted, how sure; its loss and row number are added."""


def positive_id(answer: Answer, names: list[str]) -> int:
    """The id of the positive class: the one that the recipe names, else the last one.

    Raises:
        ValueError: no label has that name.
    """
    return len(names) - 1 if answer.positive is None else names.index(answer.positive)
