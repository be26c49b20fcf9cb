"""What a task is: a contract, not a base class. Knows nothing of Hydra, of the Trainer, or of any one task.

A task file `tunebook/tasks/NAME.py` holds `ROLES` (role -> whether a column for it must be there), `Options`
and `Task`. The file alone makes the task known; conf/task/NAME.yaml gives its defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from tunebook.answers.base import Answer
from tunebook.config.options import Options

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from transformers import PreTrainedConfig

    from tunebook.config.schema import ModelConfig


class TaskOptions(Options):
    """The base of a task's own settings."""


class Task(Protocol):
    """How one kind of example is encoded and collated, and what kind of answer is expected; `Task(options)`.

    Attributes:
        auto_class: the transformers class that builds the model (`AutoModelForSequenceClassification`).
        pipeline: the transformers pipeline that loads the finished model.
        answer: the kind of label, with how it is scored and decided.
    """

    auto_class: str
    pipeline: str
    answer: Answer

    def load_processor(self, model: ModelConfig) -> Any:
        """The tokenizer or image processor that goes with the model."""

    def encode(self, split: Dataset, processor: Any, model: Any) -> Dataset:
        """Model inputs, `labels` and `row` for every example; `length` where examples differ in length."""

    def encode_rows(self, rows: dict[str, list[Any]], processor: Any, config: PreTrainedConfig) -> dict[str, Any]:
        """The same for some examples, given and returned as columns; what `encode` does, batch by batch.

        Args:
            rows: role columns, `label` and `row`.
            processor: of the model.
            config: of the model.
        """

    def collator(self, processor: Any) -> Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]]:
        """Joins encoded examples into one batch of tensors, padded as the options say; see `beside`."""


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
