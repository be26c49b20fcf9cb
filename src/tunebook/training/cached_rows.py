"""Encoded examples with the states of the frozen backbone. Knows the store of states and a task's collation.

An example carries the number of its states: whatever samples, orders, repeats or shards examples needs to know nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, cast

import datasets
import torch
from torch.utils.data import Dataset

from tunebook.models.cache.boundary import TOKENS
from tunebook.models.cache.placeholders import Placeholders
from tunebook.models.cache.states_file import StatesReader
from tunebook.tasks.base import Task

STATES, STATE_OF, SPLIT = "states", "state_of", "split"
"""In a collated batch: the states. In an example: the number of its states, and its split."""


class CachedRows(Dataset):
    """The examples of an encoded split, each with the number of its states.

    `inputs` are the model's inputs that examples need not have, as nothing reads them: these and images are then
    not even decoded; None: examples are read whole.
    """

    def __init__(self, encoded: datasets.Dataset, name: str, inputs: Collection[str] | None) -> None:
        self.encoded, self.name = encoded, name
        self.columns: dict[str, list[Any]] | None = None
        if inputs is not None:
            plain = encoded.with_format(None)
            if "labels" not in plain.column_names and "label" in plain.column_names:
                plain = plain.rename_column("label", "labels")  # images are encoded when they are read
            skipped = {name for name, kind in plain.features.items() if isinstance(kind, datasets.Image)}
            names = [name for name in plain.column_names if name not in {*inputs, *skipped}]
            self.columns = {name: plain[name][:] for name in names}

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, number: int) -> dict[str, Any]:
        return self.__getitems__([number])[0]

    def __getitems__(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        if self.columns is None:
            examples = cast(list[dict[str, Any]], self.encoded.__getitems__(list(numbers)))
        else:
            examples = [{name: values[number] for name, values in self.columns.items()} for number in numbers]
        for number, example in zip(numbers, examples, strict=True):
            example[STATE_OF], example[SPLIT] = int(number), self.name
        return examples


class StatesCollator:
    """A collator of examples that may have states."""

    def __init__(
        self,
        task: Task,
        processor: Any,
        stored: Mapping[str, StatesReader],
        placeholders: Placeholders | None,
        by_token: bool,
    ) -> None:
        self.collate: Callable[..., Mapping[str, Any]] = partial(task.collate, processor=processor)
        self.collate_targets = task.collate_targets
        self.stored, self.placeholders, self.by_token = stored, placeholders, by_token

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """The batch, with `states` where the examples have some, shape (rows, tokens of the batch, …) or (rows, …)."""
        if STATE_OF not in examples[0]:
            return dict(self.collate(examples))
        stored = self.stored[examples[0][SPLIT]]
        numbers = [example[STATE_OF] for example in examples]
        plain = [{name: example[name] for name in example if name not in {STATE_OF, SPLIT}} for example in examples]
        if self.placeholders is None:
            batch = dict(self.collate(plain))
        else:
            lengths = stored.lengths(numbers)
            batch = {**self.placeholders(lengths, int(lengths.max())), **self.collate_targets(plain)}
        return {**batch, STATES: self._padded(stored.rows(numbers), batch)}

    def _padded(self, states: torch.Tensor, batch: Mapping[str, Any]) -> torch.Tensor:
        if not self.by_token:
            return states
        mask = batch[TOKENS].bool()
        # Nothing reads padding; zeros, as they are finite.
        padded = torch.zeros((*mask.shape, *states.shape[1:]), dtype=states.dtype)
        padded[mask] = states
        return padded
