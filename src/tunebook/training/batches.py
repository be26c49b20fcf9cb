"""Which examples make up each optimizer step, and how a step is divided among devices and micro-batches.

The examples of a step depend on (seed, epoch) alone, so that every layout of the same effective batch has the same
steps; a last step with too few examples for every device is filled with examples that do not count.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
import torch
from torch.utils.data import Sampler

from tunebook.data.row_key import RowKey
from tunebook.data.sampling.base import Sampling
from tunebook.errors import ConfigurationError, Problem

Strategy = Literal["random", "group_by_length", "sequential"]


@dataclass(frozen=True)
class BatchLayout:
    """One effective batch = per_device examples × processes × accumulation micro-batches."""

    per_device: int
    processes: int
    accumulation: int

    @property
    def effective(self) -> int:
        """Examples per optimizer step."""
        return self.per_device * self.processes * self.accumulation

    def __str__(self) -> str:
        return (
            f"effective batch {self.effective} = {self.per_device} per device × {self.processes} "
            f"process{'es' if self.processes > 1 else ''} × {self.accumulation} accumulation "
            f"step{'s' if self.accumulation > 1 else ''}"
        )


def batch_layout(effective: int | None, per_device: int, processes: int, accumulation: int = 1) -> BatchLayout:
    """Divide an effective batch among processes and micro-batches of at most `per_device` examples.

    Without an effective batch (None) it is per_device × processes × accumulation, which is used only then.

    Raises:
        ConfigurationError: the effective batch cannot be divided evenly among the processes.
    """
    if effective is None:
        return BatchLayout(per_device, processes, accumulation)
    if effective % processes:
        below = effective - effective % processes
        near = " or ".join(str(n) for n in (below, below + processes) if n)
        message = f"{effective} cannot be divided evenly among {processes} processes; use {near}"
        raise ConfigurationError(Problem("hyperparameters.effective_batch_size", message))
    share = effective // processes
    fitting = next(size for size in range(min(per_device, share), 0, -1) if share % size == 0)
    return BatchLayout(fitting, processes, share // fitting)


def epoch_order(
    count: int, effective: int, strategy: Strategy, seed: int, epoch: int, lengths: Sequence[int] | None = None
) -> list[int]:
    """The order of all examples in an epoch; consecutive runs of `effective` examples are the steps.

    With length grouping, examples are shuffled, sorted by length within pools of up to 50 steps, cut into steps, and
    the steps shuffled, so that the examples of a step have similar lengths, which do not rise or fall with time.
    """
    if strategy == "sequential":
        return list(range(count))
    generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
    order = torch.randperm(count, generator=generator).tolist()
    if strategy == "random" or lengths is None:
        return order
    pool = effective * max(1, min(50, count // (effective * 4)))
    steps: list[list[int]] = []
    for start in range(0, count, pool):
        by_length = sorted(order[start : start + pool], key=lambda example: -lengths[example])
        steps += [by_length[at : at + effective] for at in range(0, len(by_length), effective)]
    whole = [step for step in steps if len(step) == effective]
    shuffled = [whole[at] for at in torch.randperm(len(whole), generator=generator).tolist()]
    # Only the last pool can end in a step that is not full; it stays the last one.
    return [one for step in [*shuffled, *(step for step in steps if len(step) < effective)] for one in step]


class EffectiveBatches(Sampler[list[RowKey]]):
    """Micro-batches of one process, as lists of keys for `TrainRows`; the row of a key is an example's number."""

    def __init__(
        self,
        sampling: Sampling,
        layout: BatchLayout,
        rank: int,
        strategy: Strategy,
        seed: int,
        lengths: Sequence[int] | None = None,
    ) -> None:
        self.sampling, self.rows, self.layout, self.rank = sampling, sampling.rows, layout, rank
        self.strategy, self.seed, self.lengths = strategy, seed, lengths
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the examples and the order of the next epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        whole, rest = divmod(self.rows, self.layout.effective)
        return whole * self.layout.accumulation + self._rounds(rest)

    def __iter__(self) -> Iterator[list[RowKey]]:
        size, processes = self.layout.per_device, self.layout.processes
        order = self.keys()
        for start in range(0, self.rows, self.layout.effective):
            step = order[start : start + self.layout.effective]
            for turn in range(self._rounds(len(step))):
                at = (turn * processes + self.rank) * size
                yield step[at : at + size] or [step[0]._replace(counted=False)]

    def keys(self) -> list[RowKey]:
        """All keys of the epoch in order, for all processes."""
        sampled = self.sampling.draw(self.seed, self.epoch)
        lengths = [self.lengths[example] for example in sampled] if self.lengths is not None else None
        order = epoch_order(self.rows, self.layout.effective, self.strategy, self.seed, self.epoch, lengths)
        copies = pd.Series(sampled).groupby(sampled).cumcount().to_numpy()  # [3, 1, 3, 3] gives [0, 0, 1, 2]
        return [RowKey(int(sampled[at]), self.epoch, int(copies[at])) for at in order]

    def _rounds(self, examples: int) -> int:
        return math.ceil(math.ceil(examples / self.layout.per_device) / self.layout.processes)
