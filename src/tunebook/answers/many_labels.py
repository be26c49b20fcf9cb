"""Any number of labels a row, each true or not by itself. Knows only logits and labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tunebook.answers.base import UNTUNED, Kind, Threshold

if TYPE_CHECKING:
    import numpy as np
    import torch


class ManyLabels:
    """Every label whose probability (the sigmoid of its logit) reaches its threshold.

    Args:
        threshold: one number for all labels, `tuned` for one of each, or None.
    """

    kind: Kind = "classes"
    problem_type = "multi_label_classification"
    loss = "binary_cross_entropy"
    positive: str | None = None

    def __init__(self, threshold: Threshold = None) -> None:
        self.threshold = threshold

    def row_scores(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Each label's probability, and the binary cross-entropy, mean over labels: (rows, labels + 1), float32."""
        import torch
        from torch.nn import functional

        logits = logits.float()
        losses = functional.binary_cross_entropy_with_logits(logits, labels.float(), reduction="none").mean(dim=1)
        return torch.cat([logits.sigmoid(), losses[:, None]], dim=1)

    def answered(self, scores: np.ndarray, thresholds: Mapping[int, float] | None = None) -> np.ndarray:
        """0 or 1 of each label, (rows, labels)."""
        import numpy as np

        labels = scores.shape[1] - 1
        least = np.array([(thresholds or {}).get(label, UNTUNED) for label in range(labels)])
        return (self.probabilities(scores) >= least).astype(np.int64)

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """Each label's, (rows, labels); they do not add up to 1."""
        import numpy as np

        return scores[:, :-1].astype(np.float64)

    def record(
        self, scores: np.ndarray, label: Any, names: list[str], thresholds: Mapping[int, float] | None = None
    ) -> dict[str, Any]:
        """Names of the labelled and the predicted labels, and the probability of every one."""
        import numpy as np

        predicted = self.answered(scores[None], thresholds)[0]
        return {
            "label": [names[at] for at in np.flatnonzero(label)],
            "predicted": [names[at] for at in np.flatnonzero(predicted)],
            "probabilities": {name: float(value) for name, value in zip(names, scores[:-1], strict=True)},
            "correct": bool((predicted == np.asarray(label)).all()),
        }
