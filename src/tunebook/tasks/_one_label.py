"""What tasks with one label a row share: the loss and the scores. Knows only logits and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunebook.tasks.base import NOT_COUNTED

if TYPE_CHECKING:
    import torch


def loss_sum(logits: torch.Tensor, labels: torch.Tensor, label_smoothing: float) -> torch.Tensor:
    """Cross-entropy summed over the counted rows.

    Args:
        logits: (rows, classes).
        labels: (rows,), class ids; `NOT_COUNTED` rows are left out.
        label_smoothing: share of the target spread evenly over all classes (Szegedy et al. 2016).

    Returns:
        A scalar in float32, whatever the logits' precision.
    """
    from torch.nn import functional

    return functional.cross_entropy(
        logits.float(), labels, ignore_index=NOT_COUNTED, reduction="sum", label_smoothing=label_smoothing
    )


def row_scores(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Predicted id, its probability and the cross-entropy of each row, shape (rows, 3), float32.

    Class ids are exact in float32 up to 2**24.
    """
    import torch
    from torch.nn import functional

    log_probabilities = functional.log_softmax(logits.float(), dim=-1)
    best, predicted = log_probabilities.max(dim=-1)
    losses = functional.nll_loss(log_probabilities, labels, ignore_index=NOT_COUNTED, reduction="none")
    return torch.stack([predicted.float(), best.exp(), losses], dim=1)
