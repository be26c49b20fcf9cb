"""What the tasks of before the new contract share; goes with them. Knows labels as lists, nothing of one task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tunebook.answers.base import Answer
from tunebook.config.options import Options
from tunebook.data.columns import Column

if TYPE_CHECKING:
    import torch

TARGET_TYPES = {"class": "single_label", "classes": "multi_label", "number": "regression"}
COMMON = frozenset({"row_mixing", "r_drop", "augmentation", "backbone_cache"})
CLASSES = COMMON | {"class_weights", "class_sampling", "label_noise", "thresholds"}
TEXT_COLUMNS = {
    "text": Column("text"),
    "text_pair": Column("text", required=False),
    "label": Column("label", target=True),
}
IMAGE_COLUMNS = {"image": Column("image"), "label": Column("label", target=True)}


class TaskOptions(Options):
    """The base of a task's own settings."""


def capabilities(answer: Answer) -> frozenset[str]:
    """What applies to a kind of label."""
    return COMMON if answer.kind == "number" else CLASSES


def beside(rows: list[dict[str, Any]], answer: Answer) -> dict[str, torch.Tensor]:
    """What every batch holds beside the model's inputs: `labels`, `row` and, of training rows, `weight`.

    Args:
        rows: encoded examples; `labels` as `Answer` describes them, or the share of each class in a mixed row.
        answer: the kind of label.
    """
    import torch

    labels = [row["labels"] for row in rows]
    whole = answer.kind == "class" and not any(isinstance(label, list | torch.Tensor) for label in labels)
    found = {
        "labels": torch.tensor(labels, dtype=torch.long if whole else torch.float32),
        "row": torch.tensor([row["row"] for row in rows], dtype=torch.long),
    }
    if "weight" in rows[0]:
        found["weight"] = torch.tensor([row["weight"] for row in rows], dtype=torch.float32)
    return found
