"""The loss of tasks that predict something of each token, and batches of rows of different lengths; knows no task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tunebook.tasks.base import LossSum

if TYPE_CHECKING:
    import torch

    from tunebook.training.losses.base import Loss

IGNORED = -100
"""A label of a token that does not count, as in PyTorch."""


def pad(rows: Sequence[Sequence[int]], value: int, left: bool = False) -> torch.Tensor:
    """Rows of different lengths as one tensor, (rows, longest), int64; filled up with `value`."""
    import torch

    tensors = [torch.as_tensor(row, dtype=torch.long) for row in rows]
    side = "left" if left else "right"
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=value, padding_side=side)


def padded_inputs(rows: Sequence[Sequence[int]], padding: int, left: bool = False) -> dict[str, torch.Tensor]:
    """`input_ids` and `attention_mask` of rows of token ids; a padding token within a row stays a token."""
    mask = pad([[1] * len(row) for row in rows], 0, left)
    return {"input_ids": pad(rows, padding, left), "attention_mask": mask}


def token_count(labels: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """How many tokens count: those with a label, in examples that are no fillers; a scalar tensor."""
    return (labels.ne(IGNORED).sum(-1) * weight.gt(0)).sum()


def token_loss(logits: torch.Tensor, labels: torch.Tensor, weight: torch.Tensor, loss: Loss | None) -> LossSum:
    """The loss of the tokens that count, weighted by example.

    Args:
        logits: (examples, tokens, labels); only those of tokens that count are copied.
        labels: (examples, tokens), `IGNORED` where a token does not count.
        weight: of the examples, (examples,).
        loss: the registered loss, which gives one value a token.
    """
    import torch

    if loss is None:
        raise ValueError("a task that learns tokens needs a registered loss")
    counted = labels.ne(IGNORED)
    each = loss(logits[counted], labels[counted])
    sums = torch.zeros(labels.shape, dtype=each.dtype, device=each.device).masked_scatter(counted, each).sum(-1)
    mean = sums / counted.sum(-1).clamp(min=1)
    return LossSum((sums * weight).sum(), token_count(labels, weight), mean)


def token_figures(logits: torch.Tensor, labels: torch.Tensor) -> list[tuple[float, int, int]]:
    """Of each example: the sum of its cross-entropy, its tokens that count, and how many of them are right."""
    import torch
    from torch.nn import functional

    counted = labels.ne(IGNORED)
    chosen, wanted = logits[counted], labels[counted]
    loss = functional.cross_entropy(chosen.float(), wanted, reduction="none")
    spread: Any = torch.zeros(labels.shape, dtype=torch.float32, device=labels.device)
    sums = spread.masked_scatter(counted, loss).double().sum(-1)
    right = torch.zeros_like(counted).masked_scatter(counted, chosen.argmax(-1) == wanted).sum(-1)
    return list(zip(sums.tolist(), counted.sum(-1).tolist(), right.tolist(), strict=True))
