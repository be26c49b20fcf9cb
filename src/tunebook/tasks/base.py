"""What a task is: a contract, not a base class. Knows nothing of Hydra, of the Trainer, or of any one task.

A task is a file `tunebook/tasks/NAME.py` (or an entry point `task.NAME`) with `Options`, a pydantic class, and `Task`.
The file alone makes the task known; conf/task/NAME.yaml gives its defaults. The file is imported while a
configuration is checked, so torch, transformers and datasets are imported inside its functions. A function
`problems(config)` in it says which configurations the task refuses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tunebook.config.options import Options
from tunebook.data.columns import Column
from tunebook.data.labels.base import LabelType, Targets
from tunebook.panels import Panel

if TYPE_CHECKING:
    import numpy as np
    import torch
    from datasets import Dataset
    from torch import nn

    from tunebook.config.schema import ModelConfig
    from tunebook.errors import Problem
    from tunebook.training.losses.base import Loss

Batch = dict[str, Any]
"""What `collate` gives: tensors by name, `row` and `weight` among them (`base_batch`)."""

BESIDE_INPUTS = frozenset({"labels", "units", "row", "weight"})
"""What a batch holds that is no input of the model."""

ALWAYS = frozenset({"augmentation", "backbone_cache"})
"""Capabilities of every task that encodes one row as one example."""


class TaskOptions(Options):
    """The base of a task's own settings."""


@dataclass(frozen=True)
class LossSum:
    """A loss before it is divided.

    Args:
        total: the weighted sum over everything that counts, a scalar tensor with its graph.
        count: how many units (rows, tokens, boxes) it sums over, a scalar tensor: `Task.count(batch)`.
        each: the mean loss of each example over its own units, (examples,); None: the model gives a total alone.
    """

    total: torch.Tensor
    count: torch.Tensor
    each: torch.Tensor | None = None


class Evaluator(Protocol):
    """Gathers what a split was predicted, batch by batch in the order of the data set, and computes its metrics."""

    def update(self, predictions: Sequence[Any], references: Sequence[Any]) -> None:
        """Add a batch of rows.

        Args:
            predictions: of `Task.predict`, or of `Task.merge` where a row has several examples.
            references: of `Task.references`.
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
    """One split after evaluation, for panels and records; one entry a row that was evaluated, in order.

    Args:
        split: its name.
        rows: the prepared rows.
        predictions: of each row.
        references: of each row.
        losses: the mean loss of each row's own units, float32; NaN where the model gives a total alone.
        positions: of each row in `rows`.
        targets: what there is to predict.
        decision: thresholds and the like; None: none.
    """

    split: str
    rows: Dataset
    predictions: Sequence[Any]
    references: Sequence[Any]
    losses: np.ndarray
    positions: np.ndarray
    targets: Targets
    decision: Any = None


class Task(Protocol):
    """How one kind of example is encoded, collated, learned from, predicted, scored and shown; `Task(options)`.

    A task may also have `prepare_model(model, processor)`, called once the model is loaded (settings of generation),
    `check_examples(split, rows, examples, processor)`, called once a split is encoded, `preview(examples, processor)`,
    a text that is logged before training, and what its capabilities need: `divergence(first, second)` for R-Drop,
    `mixed_label(label, targets)` for row mixing, and for thresholds
    `choose(evaluator, targets)`, what is chosen on validation (None: there is none) and then used for every split.

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
        lazy: examples are encoded when they are asked for (images); else once, into memory-mapped Arrow.
        options: its settings.
    """

    columns: Mapping[str, Column]
    auto_class: str
    pipeline: str | None
    labels: LabelType | None
    target_type: str
    default_loss: str | None
    problem_type: str | None
    capabilities: frozenset[str]
    lazy: bool
    options: Any

    def load_processor(self, model: ModelConfig) -> Any:
        """The tokenizer, image processor or both that go with the model."""

    def encode(self, rows: dict[str, list[Any]], processor: Any, model: Any, targets: Targets) -> dict[str, list[Any]]:
        """A batch of rows -> model inputs, as columns; pure. What it returns may be longer or shorter than `rows`.

        Args:
            rows: role columns, `row` (the row's number in its source) and `position` (its place in its split).
            processor: of the model.
            model: its configuration (`PreTrainedConfig`).
            targets: of `LabelType.encode`.

        Returns:
            Model inputs, and of each example `row` and `position` of the row that it is of. `length` where examples
            differ in length.
        """

    def collate(self, examples: list[dict[str, Any]], processor: Any) -> Batch:
        """Examples -> a batch of tensors: the model's inputs and `collate_targets`."""

    def collate_targets(self, examples: list[dict[str, Any]]) -> Batch:
        """What a batch holds beside the model's inputs: `labels` as a rule, and `base_batch`."""

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

    def merge(self, predictions: list[Any]) -> Any:
        """The prediction of a row from those of its examples, in order; called where a row has several."""

    def references(self, rows: dict[str, list[Any]]) -> Sequence[Any]:
        """What predictions are compared with, of rows as columns (without images)."""

    def misfits(self, targets: Targets, splits: Collection[str]) -> list[Problem]:
        """What the recipe asks of the data and it does not have, told before a model is loaded."""

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


def base_batch(examples: list[dict[str, Any]]) -> Batch:
    """`row`, (examples,), and `weight`, (examples,) float32: how much each counts in the loss; 0 for a filler."""
    import torch

    return {
        "row": torch.tensor([example["row"] for example in examples], dtype=torch.long),
        "weight": torch.tensor([example.get("weight", 1.0) for example in examples], dtype=torch.float32),
    }


def model_inputs(batch: Batch) -> Batch:
    """A batch without what the model does not take."""
    return {name: value for name, value in batch.items() if name not in BESIDE_INPUTS}
