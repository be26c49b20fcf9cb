"""Streamed training rows as the Trainer's loader takes them: shuffled in a buffer, cut into steps, encoded on the fly.

The sampler hands out the rows themselves, not their numbers: it is the sampler that the Trainer winds forward when a
run is resumed, so that rows of steps which are done are read again but never encoded. Every process reads the whole
stream and takes its own rows of each step, so that a step holds the same rows in every layout.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import Dataset, Sampler
from transformers import PreTrainedConfig

from tunebook.data.augmentation.base import Augmentation
from tunebook.data.row_key import RowKey
from tunebook.data.streaming.stream import Stream
from tunebook.errors import ConfigurationError, Problem, TunebookError
from tunebook.tasks.base import Task
from tunebook.training.batches import BatchLayout, Strategy

logger = logging.getLogger("tunebook")

DRAWN_AT_ONCE = 4096


class Streamed(NamedTuple):
    """One training row on its way: its key, and its roles' values."""

    key: RowKey
    values: dict[str, Any]


def shuffled(rows: Iterator[dict[str, Any]], buffer: int, seed: int, epoch: int) -> Iterator[dict[str, Any]]:
    """Every row once; which comes next is drawn from `buffer` rows, and the next one read takes its place.

    A row comes out about `buffer` rows later than it was read, more or less: files that are sorted by class stay
    roughly so where a class has more rows than the buffer. The source's order is the same in every epoch.

    Args:
        rows: of one pass.
        buffer: rows that are held; 1 keeps the order.
        seed: of the draws, with the epoch.
        epoch: from 0.
    """
    generator = np.random.default_rng((seed, epoch))
    held = list(itertools.islice(rows, buffer))
    while True:
        for at in generator.integers(max(len(held), 1), size=DRAWN_AT_ONCE).tolist():
            row = next(rows, None)
            if row is None:
                yield from (held[left] for left in generator.permutation(len(held)).tolist())
                return
            yield held[at]
            held[at] = row


def pooled(
    rows: Iterator[dict[str, Any]], buffer: int, effective: int, seed: int, epoch: int
) -> Iterator[dict[str, Any]]:
    """Every row once; each `buffer` rows are sorted by length, cut into steps, and the steps shuffled.

    Lengths are the texts' in characters: near enough to tokens, and known before encoding. Arguments as `shuffled`.

    Args:
        rows: of one pass.
        buffer: rows that are held; rounded down to whole steps.
        effective: rows of a step.
        seed: of the draws, with the epoch.
        epoch: from 0.
    """
    generator = np.random.default_rng((seed, epoch))
    size = max(buffer // effective, 1) * effective
    while pool := list(itertools.islice(rows, size)):
        order = [pool[at] for at in generator.permutation(len(pool)).tolist()]
        order.sort(key=_characters, reverse=True)
        steps = [order[at : at + effective] for at in range(0, len(order), effective)]
        # Only the last pool can end in a step that is not full; it stays the last one.
        whole = len(steps) - (len(steps[-1]) < effective)
        for at in [*generator.permutation(whole).tolist(), *range(whole, len(steps))]:
            yield from steps[at]


def _characters(row: dict[str, Any]) -> int:
    return sum(len(value) for value in row.values() if isinstance(value, str))


class StreamBatches(Sampler[list[Streamed]]):
    """Micro-batches of one process, as rows for `StreamRows`; stands where `EffectiveBatches` does.

    Where the number of rows is known (`Stream.length`), an epoch of the Trainer is a pass over the stream. Where it
    is not, the Trainer sees one epoch of `max_steps` steps, in which the stream begins anew as often as it ends.
    The last step of each pass is filled with rows that do not count.

    Args:
        stream: of the training rows.
        layout: of the effective batch.
        rank: of this process.
        strategy: `random` and `group_by_length` within the buffer, `sequential` as read.
        seed: of the order; the epoch is added.
        buffer: rows that are held for shuffling.
        max_steps: optimizer steps of the run; None or below 1: as many as the epochs have.
        dropped: where rows that are left out are written during the first pass; None: nowhere.

    Raises:
        ConfigurationError: neither the rows nor the steps are known.
    """

    def __init__(
        self,
        stream: Stream,
        layout: BatchLayout,
        rank: int,
        strategy: Strategy,
        seed: int,
        buffer: int,
        max_steps: int | None = None,
        dropped: Path | None = None,
    ) -> None:
        self.stream, self.layout, self.rank, self.strategy = stream, layout, rank, strategy
        self.seed, self.buffer, self.dropped = seed, buffer, dropped
        self.max_steps = max_steps if max_steps and max_steps > 0 else None
        self.epoch = 0
        if stream.length is None and self.max_steps is None:
            message = "must be given: how many rows the stream has is not known, so epochs give no number of steps"
            raise ConfigurationError(Problem("hyperparameters.max_steps", message))

    @property
    def rows(self) -> int:
        """Rows of an epoch of the Trainer, fillers left out where they are known."""
        if self.stream.length is not None:
            return self.stream.length
        return (self.max_steps or 0) * self.layout.effective

    def set_epoch(self, epoch: int) -> None:
        """Fix the order of the next pass."""
        self.epoch = epoch

    def __len__(self) -> int:
        whole, rest = divmod(self.rows, self.layout.effective)
        return whole * self.layout.accumulation + self._rounds(rest)

    def __iter__(self) -> Iterator[list[Streamed]]:
        try:
            yield from self._micro_batches()
        except TunebookError as error:
            error.every_rank_speaks = True  # the first process that meets it may end the others before they can tell
            raise

    def _micro_batches(self) -> Iterator[list[Streamed]]:
        if self.stream.length is not None:
            for step in self.steps(self.epoch):
                yield from self._shared_out(step, self._rounds(len(step)))
            return
        endless = (step for epoch in itertools.count() for step in self.steps(epoch))
        for step in itertools.islice(endless, self.max_steps):
            yield from self._shared_out(step, self.layout.accumulation)

    def steps(self, epoch: int) -> Iterator[list[Streamed]]:
        """The rows of each optimizer step of a pass, before they are shared out."""
        rows: Iterator[dict[str, Any]] = self.stream.rows(self.dropped if epoch == 0 else None)
        if self.strategy == "random":
            rows = shuffled(rows, self.buffer, self.seed, epoch)
        elif self.strategy == "group_by_length":
            rows = pooled(rows, self.buffer, self.layout.effective, self.seed, epoch)
        drawn = (Streamed(RowKey(values["row"], epoch), values) for values in rows)
        while step := list(itertools.islice(drawn, self.layout.effective)):
            yield step

    def _shared_out(self, step: list[Streamed], rounds: int) -> Iterator[list[Streamed]]:
        """This process's micro-batches of a step."""
        size = self.layout.per_device
        for turn in range(rounds):
            at = (turn * self.layout.processes + self.rank) * size
            yield step[at : at + size] or [step[0]._replace(key=step[0].key._replace(counted=False))]

    def _rounds(self, rows: int) -> int:
        return math.ceil(math.ceil(rows / self.layout.per_device) / self.layout.processes)


class StreamRows(Dataset):
    """Encodes streamed rows; stands where `TrainRows` does.

    Args:
        stream: that they come from.
        task: that encodes.
        processor: of the model.
        config: of the model.
        augmentation: that varies rows before they are encoded.

    Raises:
        ConfigurationError: the augmentation mixes rows with others, which a stream cannot fetch.
    """

    def __init__(
        self, stream: Stream, task: Task, processor: Any, config: PreTrainedConfig, augmentation: Augmentation
    ) -> None:
        if getattr(augmentation, "mixes", None):
            message = "mixes rows with any other training row, which a stream cannot fetch; switch mixing off"
            raise ConfigurationError(Problem("augmentation", message))
        self.stream, self.task, self.processor, self.config = stream, task, processor, config
        self.augmentation = augmentation if augmentation.active else None

    def __len__(self) -> int:
        if self.stream.length is None:
            raise TypeError("how many rows the stream has is not known")  # what has no length says so by this
        return self.stream.length

    def __getitem__(self, drawn: Streamed) -> dict[str, Any]:
        return self.__getitems__([drawn])[0]

    def __getitems__(self, drawn: list[Streamed]) -> list[dict[str, Any]]:
        rows = {role: [one.values[role] for one in drawn] for role in drawn[0].values}
        keys = [one.key for one in drawn]
        if self.augmentation:
            rows = self.augmentation.apply(rows, keys)
        encoded = self.task.encode_rows(rows, self.processor, self.config)
        made = [dict(zip(encoded, values, strict=True)) for values in zip(*encoded.values(), strict=True)]
        for key, row in zip(keys, made, strict=True):
            row["weight"] = float(key.counted)
        return made


class StreamLabels:
    """The labels of training rows that nobody has seen yet; stands where `TrainLabels` does.

    Args:
        kind: `class`, `classes` or `number`.
        names: of the labels, in the order of their ids.
    """

    def __init__(self, kind: str, names: tuple[str, ...]) -> None:
        self.kind, self.names = kind, names

    @property
    def values(self) -> np.ndarray:
        """None to be had.

        Raises:
            ConfigurationError: always.
        """
        message = "cannot be combined with what follows from the labels of all training rows (weights, sampling)"
        raise ConfigurationError(Problem("dataset.streaming", message))

    @property
    def counts(self) -> np.ndarray:
        """None to be had; see `values`."""
        return self.values
