"""The training examples as the loader asks for them: encoded once, or varied and encoded again in every epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import datasets
import numpy as np
from torch.utils.data import Dataset

from tunebook.data.augmentation.base import Augmentation
from tunebook.data.labels.base import Targets
from tunebook.data.row_key import RowKey
from tunebook.tasks.base import Task
from tunebook.training import mixing


class TrainExamples(Dataset):
    """Training examples by `RowKey`, each with its `weight` in the loss: 0 for a filler, which does not count.

    Args:
        encoded: the encoded split.
        weights: of the examples, (examples,), above 0; None: every one counts 1.
        varied: gives examples that are varied and encoded when they are read, in place of `encoded`'s.
    """

    def __init__(self, encoded: Any, weights: np.ndarray | None = None, varied: Varied | None = None) -> None:
        self.encoded, self.weights, self.varied = encoded, weights, varied

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, key: RowKey) -> dict[str, Any]:
        return self.__getitems__([key])[0]

    def __getitems__(self, keys: list[RowKey]) -> list[dict[str, Any]]:
        # One access for the whole micro-batch: row by row, Arrow costs more than a small model's forward.
        examples = self.varied(keys) if self.varied else self.encoded.__getitems__([key.row for key in keys])
        for key, example in zip(keys, examples, strict=True):
            own = 1.0 if self.weights is None else float(self.weights[key.row])
            example["weight"] = own if key.counted else 0.0
        return examples


@dataclass(frozen=True)
class Varied:
    """Training rows, varied by an augmentation, encoded by the task and, where it says so, mixed with others.

    A partner is a row of the training split, varied by its own numbers in the same epoch, whatever else the
    micro-batch holds; it costs one more encoding a row. One row is one example here.

    Args:
        split: the prepared rows, in the order of the encoded ones.
        augmentation: that is active.
        task: that encodes, and puts labels into a form in which they can be mixed.
        processor: of the model.
        config: of the model (`PreTrainedConfig`).
        targets: what there is to predict.
    """

    split: datasets.Dataset
    augmentation: Augmentation
    task: Task
    processor: Any
    config: Any
    targets: Targets

    def __call__(self, keys: list[RowKey]) -> list[dict[str, Any]]:
        if self.augmentation.mixes is None:
            return self._encoded(keys)
        mixes = self.augmentation.mix(keys, len(self.split))
        partners = [RowKey(mix.partner, key.epoch) for key, mix in zip(keys, mixes, strict=True) if mix]
        encoded = self._encoded([*keys, *partners])
        for example in encoded:
            example["labels"] = cast(Any, self.task).mixed_label(example["labels"], self.targets)
        others = iter(encoded[len(keys) :])
        return [
            mixing.mixed(row, next(others) if mix else None, mix, self.augmentation.mixes)
            for row, mix in zip(encoded, mixes, strict=False)
        ]

    def _encoded(self, keys: list[RowKey]) -> list[dict[str, Any]]:
        positions = [key.row for key in keys]
        rows = {**self.augmentation.apply(self.split[positions], keys), "position": positions}
        encoded = self.task.encode(rows, self.processor, self.config, self.targets)
        return [dict(zip(encoded, values, strict=True)) for values in zip(*encoded.values(), strict=True)]
