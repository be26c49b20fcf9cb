"""One label a row: from logits to predictions, decisions, records and panels. Knows only logits and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tunebook.data.labels.single_label import SingleLabel
from tunebook.tasks._thresholds import Threshold

if TYPE_CHECKING:
    import numpy as np
    import torch

    from tunebook.panels import Panel
    from tunebook.reporting.label_panels import Compared
    from tunebook.tasks.base import Evaluated


class SingleLabelOutput:
    """The class with the highest logit; of two classes the positive one from a threshold on.

    Predictions are float32 rows (id, its probability), with two classes (id, its probability, log odds of the second
    class), from which both probabilities follow: memory grows with rows, not with rows times classes. Ids are exact
    in float32 up to 2**24.

    Args:
        threshold: of the positive class of two: a number, `tuned`, or None.
        positive: its name; None: the last one.
    """

    labels = SingleLabel()
    problem_type = "single_label_classification"
    default_loss = "cross_entropy"
    capabilities = frozenset({"class_weights", "class_sampling", "label_noise", "row_mixing", "thresholds", "r_drop"})

    def __init__(self, threshold: Threshold = None, positive: str | None = None) -> None:
        self.threshold, self.positive = threshold, positive

    def label_tensor(self, labels: list[Any]) -> torch.Tensor:
        """(rows,) ids; (rows, classes) shares of each class for mixed rows, float32."""
        import torch

        mixed = any(isinstance(label, list | torch.Tensor) for label in labels)
        return torch.tensor(labels, dtype=torch.float32 if mixed else torch.long)

    def predictions(self, logits: torch.Tensor) -> torch.Tensor:
        """See the class: (rows, 2 or 3), float32."""
        import torch
        from torch.nn import functional

        best, predicted = functional.log_softmax(logits.float(), dim=-1).max(dim=-1)
        odds = [logits[:, 1].float() - logits[:, 0].float()] if logits.shape[-1] == 2 else []
        return torch.stack([predicted.float(), best.exp(), *odds], dim=1)

    def decide(self, predictions: np.ndarray, thresholds: Mapping[int, float] | None = None) -> np.ndarray:
        """Predicted class ids, (rows,)."""
        import numpy as np

        both = self.probabilities(predictions) if thresholds else None
        if not thresholds or both is None:
            return predictions[:, 0].astype(np.int64)
        ((positive, threshold),) = thresholds.items()
        return np.where(both[:, positive] >= threshold, positive, 1 - positive)

    def probabilities(self, predictions: np.ndarray) -> np.ndarray | None:
        """Those of both classes, (rows, 2), float64; None where there are more classes than two."""
        import numpy as np
        from scipy.special import expit

        if predictions.shape[1] < 3:
            return None
        odds = predictions[:, 2].astype(np.float64)
        return expit(np.stack([-odds, odds], axis=1))

    def confidence(self, predictions: np.ndarray, decided: np.ndarray) -> np.ndarray:
        """The probability of the decided class, (rows,)."""
        import numpy as np

        both = self.probabilities(predictions)
        return predictions[:, 1] if both is None else both[np.arange(len(decided)), decided]

    def record(
        self, prediction: np.ndarray, label: Any, names: Sequence[str], thresholds: Mapping[int, float] | None
    ) -> dict[str, Any]:
        """Names of the labelled and the predicted class, and the predicted one's probability."""
        decided = self.decide(prediction[None], thresholds)
        return {
            "label": names[int(label)],
            "predicted": names[int(decided[0])],
            "probability": float(self.confidence(prediction[None], decided)[0]),
            "correct": int(decided[0]) == int(label),
        }

    def divergence(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Mean of both Kullback-Leibler divergences of two passes' softmaxes, (rows,)."""
        from torch.nn import functional

        # Half the sum of both divergences is half the sum of (p - q)(log p - log q).
        logs = functional.log_softmax(first, -1), functional.log_softmax(second, -1)
        return ((logs[0].exp() - logs[1].exp()) * (logs[0] - logs[1])).sum(-1) / 2

    def mixed_label(self, label: Any, names: Sequence[str]) -> list[float]:
        """A label in the form in which two can be averaged: the share of each class."""
        return [float(at == label) for at in range(len(names))]

    def panels(self, evaluated: Evaluated, compared: Compared) -> list[Panel]:
        """Confusion matrix, figures of each label where there is a threshold, and the surest mistakes."""
        import numpy as np

        from tunebook.reporting import label_panels

        return label_panels.single_label(
            compared, self.confidence(np.asarray(evaluated.predictions), compared.predictions)
        )
