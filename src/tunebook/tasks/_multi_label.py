"""Any number of labels a row, each true or not by itself. Knows only logits and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tunebook.data.labels.multi_label import MultiLabel
from tunebook.evaluation.thresholds import UNTUNED
from tunebook.tasks._thresholds import Threshold

if TYPE_CHECKING:
    import numpy as np
    import torch

    from tunebook.panels import Panel
    from tunebook.reporting.label_panels import Compared
    from tunebook.tasks.base import Evaluated


class MultiLabelOutput:
    """Every label whose probability (the sigmoid of its logit) reaches its threshold.

    Predictions are the probabilities, (rows, labels), float32.

    Args:
        threshold: one number for all labels, `tuned` for one of each, or None.
    """

    labels = MultiLabel()
    problem_type = "multi_label_classification"
    default_loss = "binary_cross_entropy"
    capabilities = frozenset({"class_weights", "class_sampling", "label_noise", "row_mixing", "thresholds", "r_drop"})
    positive: str | None = None

    def __init__(self, threshold: Threshold = None) -> None:
        self.threshold = threshold

    def label_tensor(self, labels: list[Any]) -> torch.Tensor:
        """(rows, labels) of 0 and 1, or shares for mixed rows; float32."""
        import torch

        return torch.tensor(labels, dtype=torch.float32)

    def predictions(self, logits: torch.Tensor) -> torch.Tensor:
        """Each label's probability, (rows, labels), float32."""
        return logits.float().sigmoid()

    def decide(self, predictions: np.ndarray, thresholds: Mapping[int, float] | None = None) -> np.ndarray:
        """0 or 1 of each label, (rows, labels)."""
        import numpy as np

        least = np.array([(thresholds or {}).get(label, UNTUNED) for label in range(predictions.shape[1])])
        return (self.probabilities(predictions) >= least).astype(np.int64)

    def probabilities(self, predictions: np.ndarray) -> np.ndarray:
        """Each label's, (rows, labels), float64; they do not add up to 1."""
        import numpy as np

        return predictions.astype(np.float64)

    def record(
        self, prediction: np.ndarray, label: Any, names: Sequence[str], thresholds: Mapping[int, float] | None
    ) -> dict[str, Any]:
        """Names of the labelled and the predicted labels, and the probability of every one."""
        import numpy as np

        decided = self.decide(prediction[None], thresholds)[0]
        return {
            "label": [names[at] for at in np.flatnonzero(label).tolist()],
            "predicted": [names[at] for at in np.flatnonzero(decided).tolist()],
            "probabilities": {name: float(value) for name, value in zip(names, prediction, strict=True)},
            "correct": bool((decided == np.asarray(label)).all()),
        }

    def divergence(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Mean of both Kullback-Leibler divergences of each label's sigmoid, the mean over labels, (rows,)."""
        return ((first.sigmoid() - second.sigmoid()) * (first - second)).mean(-1) / 2

    def mixed_label(self, label: Any, names: Sequence[str]) -> list[float]:
        """A label in the form in which two can be averaged: 0 and 1 of each."""
        return [float(value) for value in label]

    def panels(self, evaluated: Evaluated, compared: Compared) -> list[Panel]:
        """Figures of each label, and the rows with the largest loss."""
        from tunebook.reporting import label_panels

        return label_panels.multi_label(compared, evaluated.losses)
