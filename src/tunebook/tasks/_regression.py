"""A number for each row. Knows only the model's one output and the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tunebook.data.labels.regression import Regression
from tunebook.tasks._thresholds import Threshold

if TYPE_CHECKING:
    import numpy as np
    import torch

    from tunebook.panels import Panel
    from tunebook.reporting.label_panels import Compared
    from tunebook.tasks.base import Evaluated


class RegressionOutput:
    """The model's one output, as it is; predictions are (rows, 1), float32."""

    labels = Regression()
    problem_type = "regression"
    default_loss = "mse"
    capabilities = frozenset({"row_mixing", "r_drop"})
    threshold: Threshold = None
    positive: str | None = None

    def label_tensor(self, labels: list[Any]) -> torch.Tensor:
        """(rows,), float32."""
        import torch

        return torch.tensor(labels, dtype=torch.float32)

    def predictions(self, logits: torch.Tensor) -> torch.Tensor:
        """The predicted number, (rows, 1), float32."""
        return logits.float().reshape(len(logits), 1)

    def decide(self, predictions: np.ndarray, thresholds: Mapping[int, float] | None = None) -> np.ndarray:
        """Numbers, (rows,), float64."""
        import numpy as np

        return predictions[:, 0].astype(np.float64)

    def probabilities(self, predictions: np.ndarray) -> None:
        """A number has none."""

    def record(
        self, prediction: np.ndarray, label: Any, names: Sequence[str], thresholds: Mapping[int, float] | None
    ) -> dict[str, Any]:
        """The labelled and the predicted number, and how far the second is above the first."""
        return {"label": float(label), "predicted": float(prediction[0]), "error": float(prediction[0]) - float(label)}

    def divergence(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """The squared difference of two passes, (rows,)."""
        return (first - second).squeeze(-1) ** 2

    def mixed_label(self, label: Any, names: Sequence[str]) -> float:
        """A label in the form in which two can be averaged: itself."""
        return float(label)

    def panels(self, evaluated: Evaluated, compared: Compared) -> list[Panel]:
        """References against predictions, and the largest errors."""
        from tunebook.reporting import label_panels

        return label_panels.regression(compared)
