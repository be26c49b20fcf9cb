"""What a task is: a contract, not a base class. Knows nothing of Hydra, of the Trainer, or of any one task.

A task is a file `tunebook/tasks/NAME.py` (or an entry point `task.NAME`) with `Options`, a pydantic class, and `Task`.
The file alone makes the task known; conf/task/NAME.yaml gives its defaults. The file is imported while a
configuration is checked, so torch, transformers and datasets are imported inside its functions. A function
`problems(config)` in it says which configurations the task refuses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tunebook.config.options import Options
from tunebook.data.columns import Column
from tunebook.data.labels.base import LabelType, Targets
from tunebook.panels import Panel

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from torch import nn

    from tunebook.config.schema import ModelConfig
    from tunebook.training.losses.base import Loss

Batch = dict[str, Any]
"""What `collate` gives: tensors by name. `row` and `weight` are always there, see `base_batch`."""


class TaskOptions(Options):
    """The base of a task's own settings."""


@dataclass(frozen=True)
class LossSum:
    """A loss before it is divided.

    Args:
        total: the weighted sum over everything that counts, a scalar tensor with its graph.
        count: how many units (rows, tokens, boxes) it sums over, a scalar tensor: `Task.count(batch)`.
        each: the loss of each example, summed over its units, (examples,); None: the model gives a total alone.
    """

    total: torch.Tensor
    count: torch.Tensor
    each: torch.Tensor | None = None


class Evaluator(Protocol):
    """Gathers what a split was predicted, batch by batch in the order of the data set, and computes its metrics."""

    def update(self, predictions: Sequence[Any], references: Sequence[Any]) -> None:
        """Add a batch.

        Args:
            predictions: of `Task.predict`, one an example.
            references: of `Task.references`, one an example.
        """

    def compute(self, decision: Any = None) -> dict[str, float]:
        """Every metric of the recipe by its name.

        Args:
            decision: what `decide` chose on validation; None: the task's usual way.
        """

    def row_scores(self, decision: Any = None) -> dict[str, Any]:
        """Metric to a score a row, (rows,), where the metric is a mean over rows; others are left out."""


@dataclass(frozen=True)
class Evaluated:
    """One split after evaluation, for panels and records.

    Args:
        split: its name.
        rows: the prepared rows.
        predictions: one an example, in order; `Task.by_row` joins them where a row has several examples.
        references: one an example.
        losses: of each example, (examples,), divided by what it counts; float32.
        positions: of each example's row in `rows`, (examples,).
        targets: what there is to predict.
        decision: thresholds and the like; None: none.
    """

    split: str
    rows: Dataset
    predictions: Sequence[Any]
    references: Sequence[Any]
    losses: Any
    positions: Any
    targets: Targets
    decision: Any = None


class Task(Protocol):
    """How one kind of example is encoded, collated, learned from, predicted, scored and shown; `Task(options)`.

    Attributes:
        columns: role -> kind of value and whether it must be there.
        auto_class: the transformers class that builds the model (`AutoModelForSequenceClassification`).
        pipeline: the transformers pipeline that loads the finished model; None: there is none.
        labels: how the label column is read; None: the task has no vocabulary of labels.
        target_type: what a loss is given: `single_label`, `multi_label`, `regression`, `token_labels`, `token_ids`,
            or a name of the task's own; losses and sampling methods say which ones they take.
        default_loss: name of the loss that `loss=default` stands for; None: the model's own.
        problem_type: of the model's configuration, or None.
        capabilities: what applies to it, of `CAPABILITIES`.
    """

    columns: Mapping[str, Column]
    auto_class: str
    pipeline: str | None
    labels: LabelType | None
    target_type: str
    default_loss: str | None
    problem_type: str | None
    capabilities: frozenset[str]

    def load_processor(self, model: ModelConfig) -> Any:
        """The tokenizer, image processor or both that go with the model."""

    def encode(self, rows: dict[str, list[Any]], processor: Any, model: Any, targets: Targets) -> dict[str, list[Any]]:
        """A batch of rows -> model inputs, as columns; pure. What it returns may be longer or shorter than `rows`.

        Args:
            rows: role columns and `position`, the row's place in its split.
            processor: of the model.
            model: its configuration (`PreTrainedConfig`).
            targets: of `LabelType.encode`.

        Returns:
            Model inputs and `position`: of each example the place of its row, or of its first one; a list in
            `positions` where it holds several. `length` where examples differ in length.
        """

    def collate(self, examples: list[dict[str, Any]], processor: Any) -> Batch:
        """Examples -> a batch of tensors; see `base_batch`."""

    def count(self, batch: Batch) -> torch.Tensor:
        """How many units the loss of a batch sums over, known before the model has seen it; a scalar tensor.

        A filler example (`weight` 0) counts nothing. The Trainer adds the counts of the whole effective batch, over
        micro-batches and ranks, and divides by their sum.
        """

    def forward(self, model: nn.Module, batch: Batch) -> Any:
        """Runs the model on a batch; as a rule `model(**model_inputs(batch))`."""

    def loss(self, outputs: Any, batch: Batch, loss: Loss | None) -> LossSum:
        """The loss of a batch as a sum and a count.

        Args:
            outputs: of `forward`.
            batch: with labels, and `weight` while training.
            loss: the registered loss; None: the model's own, which the outputs then hold.
        """

    def predict(self, model: nn.Module, outputs: Any, batch: Batch, processor: Any) -> Sequence[Any]:
        """Small per-example predictions, ragged if need be; may generate. Never whole logits of many classes."""

    def references(self, rows: dict[str, list[Any]]) -> Sequence[Any]:
        """What predictions are compared with, of rows as columns."""

    def evaluator(self, metrics: Sequence[str], targets: Targets) -> Evaluator:
        """Of one split.

        Raises:
            ConfigurationError: a metric does not fit these targets.
        """

    def record(self, prediction: Any, reference: Any, targets: Targets, decision: Any = None) -> dict[str, Any]:
        """One row for predictions/*.jsonl and `predict`: plain values; its row number and loss are added."""

    def panels(self, evaluated: Evaluated) -> list[Panel]:
        """What the report shows of a split."""


CAPABILITIES = {
    "class_weights": "weights of classes in the loss",
    "class_sampling": "drawing rows by their class",
    "label_noise": "the search for wrong labels",
    "row_mixing": "MixUp and CutMix of rows",
    "thresholds": "thresholds of labels",
    "r_drop": "R-Drop",
    "augmentation": "augmentation, which takes one example a row",
    "backbone_cache": "the cache of frozen layers",
    "generation": "text that the model generates at evaluation",
}
"""What only some tasks have, in words for messages."""
