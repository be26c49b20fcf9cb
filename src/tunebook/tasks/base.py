"""What a task is: a contract, not a base class. Knows nothing of Hydra, of the Trainer, or of any one task.

A task file `tunebook/tasks/NAME.py` holds `ROLES` (role -> whether a column for it must be there), `Options`
and `Task`. The file alone makes the task known; conf/task/NAME.yaml gives its defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from tunebook.config.options import Options

if TYPE_CHECKING:
    import torch
    from datasets import Dataset

    from tunebook.config.schema import ModelConfig

NOT_COUNTED = -100
"""The label of a row, token or element that counts neither in the loss nor in a metric."""


class TaskOptions(Options):
    """The base of a task's own settings."""


class Task(Protocol):
    """How one kind of example is encoded, collated, scored and decoded.

    Attributes:
        auto_class: the transformers class that builds the model (`AutoModelForSequenceClassification`).
        problem_type: for the model's config, None where the class has none.
        pipeline: the transformers pipeline that loads the finished model.
    """

    auto_class: str
    problem_type: str | None
    pipeline: str

    def __init__(self, options: Any) -> None: ...

    def load_processor(self, model: ModelConfig) -> Any:
        """The tokenizer or image processor that goes with the model."""

    def encode(self, split: Dataset, processor: Any, model: Any) -> Dataset:
        """Model inputs, `labels` and `row` for every example; `length` where examples differ in length."""

    def collator(self, processor: Any) -> Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]]:
        """Joins encoded examples into one batch of tensors, padded as the options say."""

    def loss_sum(self, logits: torch.Tensor, labels: torch.Tensor, label_smoothing: float) -> torch.Tensor:
        """The loss summed (not averaged) over what is counted, as a scalar tensor."""

    def row_scores(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """What evaluation keeps of each row, shape (rows, 3): predicted id, its probability, the loss.

        Memory for a whole evaluation so grows with rows, not with rows times classes.
        """
