"""Which examples each process evaluates, and the gathering of what was predicted. Knows tasks by their contract.

Examples are evaluated in the order of the data set. Only the main process keeps predictions and computes metrics, so
memory grows with what `Task.predict` gives for an example, not with logits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from datasets import Dataset as ArrowDataset
from datasets import Image
from torch.utils.data import Dataset, Sampler

from tunebook.data.encoding import positions_of
from tunebook.data.labels.base import Targets
from tunebook.data.row_key import RowKey
from tunebook.evaluation.growing_array import GrowingArray
from tunebook.tasks.base import Batch, Evaluated, Evaluator, LossSum, Task


class EvalSplit(Dataset):
    """The examples of a split by `RowKey`, each with its `weight`: 1, or 0 for a filler, which does not count.

    `rows` are the prepared ones, and `positions` that of each example's row among them, (examples,); None: as the
    encoded examples have it.
    """

    def __init__(self, name: str, rows: ArrowDataset, examples: Any, positions: np.ndarray | None = None) -> None:
        self.name, self.rows, self.examples = name, rows, examples
        self.positions = positions_of(examples) if positions is None else positions
        self.windows = bool((np.diff(self.positions) == 0).any())
        """Whether some row has several examples, one behind the other."""

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, key: RowKey) -> dict[str, Any]:
        return self.__getitems__([key])[0]

    def __getitems__(self, keys: list[RowKey]) -> list[dict[str, Any]]:
        examples = self.examples.__getitems__([key.row for key in keys])
        for key, example in zip(keys, examples, strict=True):
            example["weight"] = float(key.counted)
        return examples

    def columns(self, positions: Sequence[int]) -> dict[str, list[Any]]:
        """Some rows as columns, without images, which would have to be decoded."""
        names = [name for name, feature in self.rows.features.items() if not isinstance(feature, Image)]
        return self.rows.select_columns(names)[list(positions)]


class EvalBatches(Sampler[list[RowKey]]):
    """Every `processes`-th batch of a split, and a filler where the last round has none for this process."""

    def __init__(self, examples: int, size: int, rank: int, processes: int) -> None:
        self.examples, self.size, self.rank, self.processes = examples, size, rank, processes

    def __len__(self) -> int:
        return math.ceil(math.ceil(self.examples / self.size) / self.processes)

    def __iter__(self) -> Iterator[list[RowKey]]:
        for turn in range(len(self)):
            start = (turn * self.processes + self.rank) * self.size
            keys = [RowKey(at) for at in range(start, min(start + self.size, self.examples))]
            yield keys or [RowKey(0, counted=False)]


class Gathered:
    """What is gathered of a split while it is evaluated: of each row, in order, its prediction, reference and loss.

    Where a row has several examples (windows of a long text), their predictions are merged by the task. The main
    process alone has an `evaluator`, and keeps everything.
    """

    def __init__(self, split: EvalSplit, task: Task, targets: Targets, evaluator: Evaluator | None) -> None:
        self.split, self.task, self.targets, self.evaluator = split, task, targets, evaluator
        self.total, self.count = 0.0, 0.0
        self.arrays, self.others = GrowingArray(), list[Any]()
        """Predictions as `Task.predict` gives them: in arrays, or in lists."""
        self.references: list[Any] = []
        self.losses, self.positions = GrowingArray(), GrowingArray()
        self._done = 0
        self._open: tuple[int, list[Any], list[float]] | None = None

    def add_loss(self, loss: LossSum, batch: Batch) -> np.ndarray:
        """Add a batch's loss to this process's sum; gives that of each example, NaN where only a total is known."""
        self.total += float(loss.total.double())
        self.count += float(loss.count)
        if loss.each is None:
            return np.full(len(batch["row"]), np.nan, dtype=np.float32)
        return loss.each.float().cpu().numpy()

    def add(self, pieces: Sequence[tuple[Any, np.ndarray]]) -> None:
        """Add the (predictions, losses) of one round of batches, in the order of the processes."""
        if self.evaluator is None:
            return
        for predictions, losses in pieces:
            positions = self.split.positions[self._done : self._done + len(losses)]
            self._done += len(losses)
            if self.split.windows:
                predictions, losses, positions = self._merged(predictions, losses, positions)
            self._add_rows(predictions, losses, positions)

    def close(self) -> None:
        """The last example has come."""
        if self.evaluator is not None and self._open is not None:
            position, predictions, losses = self._open
            self._open = None
            self._add_rows(
                [self.task.merge(predictions)], np.array([np.nanmean(losses)], dtype=np.float32), np.array([position])
            )

    def evaluated(self, decision: Any = None) -> Evaluated:
        """Everything about the split; of the main process only."""
        return Evaluated(
            split=self.split.name,
            rows=self.split.rows,
            predictions=cast(Sequence[Any], self.others or self.arrays.array()),
            references=self.references,
            losses=self.losses.array(),
            positions=self.positions.array(),
            targets=self.targets,
            decision=decision,
        )

    def _merged(
        self, predictions: Any, losses: np.ndarray, positions: np.ndarray
    ) -> tuple[list, np.ndarray, np.ndarray]:
        """The rows that are complete; the last one may continue in the next batch and stays open."""
        rows: list[tuple[int, list[Any], list[float]]] = [self._open] if self._open is not None else []
        for position, prediction, loss in zip(positions.tolist(), predictions, losses.tolist(), strict=True):
            if not rows or rows[-1][0] != position:
                rows.append((position, [], []))
            rows[-1][1].append(prediction)
            rows[-1][2].append(loss)
        self._open = rows.pop() if rows else None
        merged = [self.task.merge(parts) for _, parts, _ in rows]
        means = np.array([np.nanmean(losses) for _, _, losses in rows], dtype=np.float32)
        return merged, means, np.array([position for position, _, _ in rows], dtype=np.int64)

    def _add_rows(self, predictions: Any, losses: np.ndarray, positions: np.ndarray) -> None:
        if not len(positions) or self.evaluator is None:
            return
        references = self.task.references(self.split.columns(positions.tolist()))
        self.evaluator.update(predictions, references)
        if isinstance(predictions, np.ndarray):
            self.arrays.add(predictions)
        else:
            self.others += predictions
        self.references += list(references)
        self.losses.add(losses)
        self.positions.add(positions)


def counted_only(predictions: Any, losses: np.ndarray, weights: torch.Tensor) -> tuple[Any, np.ndarray]:
    """The predictions and losses of a batch without its fillers, which are whole batches."""
    return (predictions, losses) if bool(weights.gt(0).all()) else (predictions[:0], losses[:0])
