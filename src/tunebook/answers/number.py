"""A number for each row. Knows only the model's one output and the labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tunebook.answers.base import Kind, Threshold

if TYPE_CHECKING:
    import numpy as np
    import torch


class Number:
    """The model's one output, as it is."""

    kind: Kind = "number"
    problem_type = "regression"
    loss = "mse"
    threshold: Threshold = None
    positive: str | None = None

    def row_scores(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The answered number and its squared error, (rows, 2), float32."""
        import torch

        answered = logits.float().squeeze(-1)
        return torch.stack([answered, (answered - labels.float()) ** 2], dim=1)

    def answered(self, scores: np.ndarray, thresholds: Mapping[int, float] | None = None) -> np.ndarray:
        """Numbers, (rows,), float64."""
        import numpy as np

        return scores[:, 0].astype(np.float64)

    def probabilities(self, scores: np.ndarray) -> None:
        """A number has none."""

    def record(
        self, scores: np.ndarray, label: Any, names: list[str], thresholds: Mapping[int, float] | None = None
    ) -> dict[str, Any]:
        """The labelled and the answered number, and how far the second lies above the first."""
        return {"label": float(label), "predicted": float(scores[0]), "error": float(scores[0]) - float(label)}
