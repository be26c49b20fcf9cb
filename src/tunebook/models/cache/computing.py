"""Computes the states of a split once, rows of similar length together; knows models and encoded rows, not training."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import nn
from torch.utils.data import ConcatDataset
from tqdm.auto import tqdm

from tunebook.models.cache.boundary import TOKENS, Boundary
from tunebook.models.cache.not_cacheable import NotCacheable
from tunebook.models.cache.replay import compute_states
from tunebook.models.cache.states_file import StatesLayout, StatesWriter
from tunebook.models.features import MANY, Collate, inputs_of
from tunebook.models.train_mode import eval_mode

PROBED = 6
"""Rows on which boundaries are searched and validated."""


@dataclass(frozen=True)
class StateComputer:
    """Computes the states of encoded rows at a boundary of a model, which is without wrappers and on its device.

    `names` are the model's inputs, `collate` joins encoded rows into a batch, `dtype` is that of autocast (None: off).
    """

    model: nn.Module
    boundary: Boundary
    names: tuple[str, ...]
    collate: Collate
    device: torch.device
    dtype: torch.dtype | None
    batch_size: int

    def states(self, rows: list[dict[str, Any]]) -> list[torch.Tensor]:
        """One tensor per encoded row: (tokens, …) where the boundary has states by token, else (…)."""
        inputs = inputs_of(rows, self.collate, self.device)
        with torch.no_grad(), self.autocast(), eval_mode(self.model):
            states = compute_states(self.model, self.boundary, inputs)
        if not self.boundary.by_token:
            return list(states)
        return [own[mask.bool()] for own, mask in zip(states, inputs[TOKENS], strict=True)]

    def autocast(self) -> Any:
        """The precision of training."""
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype is not None)


def probe_batch(splits: Collection[Dataset], collate: Collate, device: torch.device) -> dict[str, torch.Tensor]:
    """Inputs of a few rows of all splits, from the longest to the shortest, repeated where there are fewer.

    Of all splits, as training rows may all have the greatest length and an evaluation the first shorter ones.
    """
    rows: ConcatDataset[Any] = ConcatDataset(splits)  # type: ignore[arg-type]
    lengths: list[int] = []
    for split in splits:
        lengths += split.with_format(None)["length"][:] if "length" in split.column_names else [0] * len(split)
    order = np.argsort(lengths, kind="stable")
    chosen = order[np.linspace(len(order) - 1, 0, PROBED).round().astype(int)].tolist()
    return inputs_of([rows[at] for at in chosen], collate, device)


def states_layout(encoded: Dataset, computing: StateComputer) -> StatesLayout:
    """How the states of a split are laid out in their file, from those of its first row.

    Raises:
        NotCacheable: rows have states by token, and no attention mask.
    """
    first = computing.states(encoded.__getitems__([0]))[0]
    if not computing.boundary.by_token:
        return StatesLayout(tuple(first.shape), first.dtype, len(encoded))
    lengths = token_counts(encoded)
    if lengths is None:
        raise NotCacheable(f"the encoded rows have no {TOKENS}")
    return StatesLayout(tuple(first.shape[1:]), first.dtype, len(encoded), lengths)


def token_counts(encoded: Dataset) -> np.ndarray | None:
    """How many tokens each row of a split has, (rows,); None where rows have no tokens."""
    if TOKENS not in encoded.column_names:
        return None
    counts = []
    for batch in encoded.select_columns([TOKENS]).with_format("arrow").iter(batch_size=1000):
        column = batch[TOKENS].combine_chunks()
        sums = np.concatenate([[0], np.cumsum(column.flatten().to_numpy(zero_copy_only=False), dtype=np.int64)])
        ends = np.cumsum(column.value_lengths().to_numpy(zero_copy_only=False))
        counts.append(np.diff(sums[ends], prepend=0))
    return np.concatenate(counts)


def write_states(
    writer: StatesWriter, encoded: Dataset, computing: StateComputer, share: tuple[int, int], title: str
) -> None:
    """Compute this process's `share` (its rank, and the number of processes) of a split's states and write them.

    Batches are the same for every number of processes, so that the states do not depend on it.
    """
    rows = writer.layout.rows
    lengths = token_counts(encoded)
    order: Sequence[int] = range(rows)
    if lengths is not None:
        order = np.argsort(lengths, kind="stable")[::-1].tolist()  # the longest first: memory fails early
    (rank, count), size = share, computing.batch_size
    begins = range(rank * size, rows, count * size)
    mine = sum(min(size, rows - begin) for begin in begins)
    with tqdm(total=mine, desc=title, unit=" rows", disable=rank > 0 or mine <= MANY or None) as bar:
        for begin in begins:
            chosen = list(order[begin : begin + size])
            writer.write(chosen, computing.states(encoded.__getitems__(chosen)))
            bar.update(len(chosen))
