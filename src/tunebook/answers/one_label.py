"""One label a row. Knows only logits and labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tunebook.answers.base import Kind, Threshold

if TYPE_CHECKING:
    import numpy as np
    import torch


class OneLabel:
    """The class with the highest logit; of two classes the positive one from a threshold on.

    Args:
        threshold: of the positive class of two: a number, `tuned`, or None.
        positive: its name; None: the last one.
    """

    kind: Kind = "class"
    problem_type = "single_label_classification"
    loss = "cross_entropy"

    def __init__(self, threshold: Threshold = None, positive: str | None = None) -> None:
        self.threshold, self.positive = threshold, positive

    def row_scores(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Predicted id, its probability and the cross-entropy of each row, (rows, 3), float32.

        With two classes (rows, 4): before the loss stands how far the second logit lies above the first, from which
        both probabilities follow. Memory for a whole evaluation grows with rows, not with rows times classes.
        Class ids are exact in float32 up to 2**24.
        """
        import torch
        from torch.nn import functional

        log_probabilities = functional.log_softmax(logits.float(), dim=-1)
        best, predicted = log_probabilities.max(dim=-1)
        losses = functional.nll_loss(log_probabilities, labels, reduction="none")
        odds = [logits[:, 1].float() - logits[:, 0].float()] if logits.shape[-1] == 2 else []
        return torch.stack([predicted.float(), best.exp(), *odds, losses], dim=1)

    def answered(self, scores: np.ndarray, thresholds: Mapping[int, float] | None = None) -> np.ndarray:
        """Predicted class ids, (rows,)."""
        import numpy as np

        both = self.probabilities(scores) if thresholds else None
        if not thresholds or both is None:
            return scores[:, 0].astype(np.int64)
        ((positive, threshold),) = thresholds.items()
        return np.where(both[:, positive] >= threshold, positive, 1 - positive)

    def probabilities(self, scores: np.ndarray) -> np.ndarray | None:
        """Those of both classes, (rows, 2); None where there are more classes than two."""
        import numpy as np
        from scipy.special import expit

        if scores.shape[1] < 4:
            return None
        odds = scores[:, 2].astype(np.float64)
        return expit(np.stack([-odds, odds], axis=1))

    def record(
        self, scores: np.ndarray, label: Any, names: list[str], thresholds: Mapping[int, float] | None = None
    ) -> dict[str, Any]:
        """Names of the labelled and the predicted class, and the predicted one's probability."""
        predicted = int(self.answered(scores[None], thresholds)[0])
        both = self.probabilities(scores[None])
        return {
            "label": names[int(label)],
            "predicted": names[predicted],
            "probability": float(scores[1] if both is None else both[0, predicted]),
            "correct": predicted == int(label),
        }
