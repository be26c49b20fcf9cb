"""Which rows make up each optimizer step, and how a step is shared out over devices and micro-batches.

The rows of a step depend on (seed, epoch) alone, so that every layout of the same effective batch sees the
same steps; a last step with too few rows for every device is filled with rows that do not count.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch.utils.data import Sampler

from tunebook.data.row_key import RowKey
from tunebook.data.sampling.base import Sampling
from tunebook.errors import ConfigurationError, Problem

Strategy = Literal["random", "group_by_length", "sequential"]


@dataclass(frozen=True)
class BatchLayout:
    """One effective batch = per_device rows × processes × accumulation micro-batches."""

    per_device: int
    processes: int
    accumulation: int

    @property
    def effective(self) -> int:
        """Rows per optimizer step."""
        return self.per_device * self.processes * self.accumulation

    def __str__(self) -> str:
        return (
            f"effective batch {self.effective} = {self.per_device} per device × {self.processes} "
            f"process{'es' if self.processes > 1 else ''} × {self.accumulation} accumulation "
            f"step{'s' if self.accumulation > 1 else ''}"
        )


def batch_layout(effective: int | None, per_device: int, processes: int, accumulation: int = 1) -> BatchLayout:
    """Share an effective batch out.

    Args:
        effective: rows per optimizer step; None: per_device × processes × accumulation.
        per_device: the most rows that a device takes at once.
        processes: devices that train together.
        accumulation: used only where `effective` is None.

    Raises:
        ConfigurationError: the effective batch cannot be shared evenly by the processes.
    """
    if effective is None:
        return BatchLayout(per_device, processes, accumulation)
    if effective % processes:
        below = effective - effective % processes
        near = " or ".join(str(n) for n in (below, below + processes) if n)
        message = f"{effective} cannot be shared evenly by {processes} processes; use {near}"
        raise ConfigurationError(Problem("hyperparameters.effective_batch_size", message))
    share = effective // processes
    fitting = next(size for size in range(min(per_device, share), 0, -1) if share % size == 0)
    return BatchLayout(fitting, processes, share // fitting)


def epoch_order(
    rows: int, effective: int, strategy: Strategy, seed: int, epoch: int, lengths: Sequence[int] | None = None
) -> list[int]:
    """The order of all rows in an epoch; consecutive runs of `effective` rows are the steps.

    With length grouping, rows are shuffled, sorted by length within pools of up to 50 steps, cut into steps,
    and the steps shuffled, so that rows of a step are alike in length but lengths do not rise or fall with time.
    """
    if strategy == "sequential":
        return list(range(rows))
    generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
    order = torch.randperm(rows, generator=generator).tolist()
    if strategy == "random" or lengths is None:
        return order
    pool = effective * max(1, min(50, rows // (effective * 4)))
    steps: list[list[int]] = []
    for start in range(0, rows, pool):
        by_length = sorted(order[start : start + pool], key=lambda row: -lengths[row])
        steps += [by_length[at : at + effective] for at in range(0, len(by_length), effective)]
    whole = [step for step in steps if len(step) == effective]
    shuffled = [whole[at] for at in torch.randperm(len(whole), generator=generator).tolist()]
    # Only the last pool can end in a step that is not full; it stays the last one.
    return [row for step in [*shuffled, *(step for step in steps if len(step) < effective)] for row in step]


class EffectiveBatches(Sampler[list[RowKey]]):
    """Micro-batches of one process, as lists of row keys for `TrainRows`.

    Args:
        sampling: which rows an epoch holds.
        layout: of the effective batch.
        rank: of this process.
        strategy: of `epoch_order`.
        seed: of the draw and the order; the epoch is added.
        lengths: of the training rows, for length grouping.
    """

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
        """Fix the rows and the order of the next pass."""
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
        """All keys of the epoch in order, before they are shared out."""
        drawn = self.sampling.draw(self.seed, self.epoch)
        lengths = [self.lengths[row] for row in drawn] if self.lengths is not None else None
        order = epoch_order(self.rows, self.layout.effective, self.strategy, self.seed, self.epoch, lengths)
        copies = _copies(drawn)
        return [RowKey(int(drawn[at]), self.epoch, int(copies[at])) for at in order]

    def _rounds(self, rows: int) -> int:
        return math.ceil(math.ceil(rows / self.layout.per_device) / self.layout.processes)


def _copies(drawn: np.ndarray) -> np.ndarray:
    """How often each entry has come before: [3, 1, 3, 3] gives [0, 0, 1, 2]."""
    order = np.argsort(drawn, kind="stable")
    counts = np.unique(drawn, return_counts=True)[1]
    copies = np.empty(len(drawn), dtype=np.int64)
    copies[order] = np.arange(len(drawn)) - np.repeat(np.cumsum(counts) - counts, counts)
    return copies
