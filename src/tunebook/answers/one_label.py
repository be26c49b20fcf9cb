"""One label a row. Knows only logits and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tunebook.answers.base import Kind

if TYPE_CHECKING:
    import torch


class OneLabel:
    """The class with the highest logit."""

    kind: Kind = "class"
    problem_type = "single_label_classification"
    loss = "cross_entropy"

    def row_scores(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Predicted id, its probability and the cross-entropy of each row, shape (rows, 3), float32.

        Class ids are exact in float32 up to 2**24. Memory for a whole evaluation grows with rows, not with rows
        times classes.
        """
        import torch
        from torch.nn import functional

        log_probabilities = functional.log_softmax(logits.float(), dim=-1)
        best, predicted = log_probabilities.max(dim=-1)
        losses = functional.nll_loss(log_probabilities, labels, reduction="none")
        return torch.stack([predicted.float(), best.exp(), losses], dim=1)

    def answered(self, scores: np.ndarray) -> np.ndarray:
        """Predicted class ids, (rows,)."""
        return scores[:, 0].astype(np.int64)

    def record(self, scores: np.ndarray, label: Any, names: list[str]) -> dict[str, Any]:
        """Names of the labelled and the predicted class, and the predicted one's probability."""
        predicted = int(scores[0])
        return {
            "label": names[int(label)],
            "predicted": names[predicted],
            "probability": float(scores[1]),
            "correct": predicted == int(label),
        }
