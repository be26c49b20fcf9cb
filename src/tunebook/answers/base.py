"""What a kind of answer is. Knows logits, labels and names; nothing of tasks, models or the Trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    import torch

Kind = Literal["class", "classes", "number"]


class Answer(Protocol):
    """One kind of label: from logits to scores, from scores to answers, from answers to records.

    Attributes:
        kind: `class` (one label a row), `classes` (any number of them) or `number`.
        problem_type: of the model's config.
        loss: name of the loss that goes with it (`tunebook.training.losses`).
    """

    kind: Kind
    problem_type: str
    loss: str

    def row_scores(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """What evaluation keeps of each row, float32, shape (rows, k); the last column is the row's plain loss."""

    def answered(self, scores: np.ndarray) -> np.ndarray:
        """What the model answers, in the form of the labels: class ids, 0/1 of each label, or numbers."""

    def record(self, scores: np.ndarray, label: Any, names: list[str]) -> dict[str, Any]:
        """One row for predictions/*.jsonl: label, predicted, how sure; its loss and row number are added."""
