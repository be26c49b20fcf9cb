"""Rows of a previous task in training, learned under that task's own frozen head (replay).

Knows previous tasks only by what `MethodContext.load_previous` gives.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import Field

from tunebook.data.row_key import RowKey
from tunebook.errors import Problem
from tunebook.training.regularization.base import (
    Collate,
    Method,
    MethodContext,
    RegularizationOptions,
    Rows,
    backbone_is_frozen,
)

if TYPE_CHECKING:
    import torch

    from tunebook.config.schema import Config

logger = logging.getLogger("tunebook")

PREVIOUS = "previous"
SEED_PART = 7919
"""Added to a row's seeds, so that its previous rows do not depend on its augmentation."""


class Options(RegularizationOptions):
    """Replay of a previous task (Robins 1995; Chaudhry et al. 2019, arXiv 1902.10486).

    Each counted row brings share / (1 − share) previous training rows on average, chosen by the seed and the row alone.
    They go through this run's backbone and the previous run's head, which does not change. A step's loss is (the sum
    over its own rows + weight · the sum over the previous ones) / its own rows.

    Args:
        run: folder of the finished run that learned the previous task.
        share: of the previous rows among all rows, in (0, 1).
        weight: of a previous row against a new one, more than 0.
    """

    run: str
    share: float = Field(default=0.1, gt=0, lt=1)
    weight: float = Field(default=1.0, gt=0)


def start(options: Options, context: MethodContext) -> Method:
    """Loads the previous task and adds its rows to the new ones."""
    from tunebook.training.rows import TrainExamples

    previous = context.load_previous(options.run)
    rows = TrainExamples(previous.splits["train"], previous.example_weights())
    rate = options.share / (1 - options.share)
    loss = previous.loss()
    message = "replay: each training row brings %.2g of the %d of %s with it on average"
    logger.info(message, rate, len(rows), previous.run.title)

    def extra_loss(batch: dict[str, Any]) -> torch.Tensor | None:
        added = batch.pop(PREVIOUS, None)
        return None if added is None else options.weight * previous.loss_sum(loss, added)

    return Method(
        wrap_rows=lambda own: WithPrevious(own, rows, rate, context.seed),
        wrap_collator=lambda own: with_previous_batch(own, previous.collate),
        extra_loss=extra_loss,
    )


def sampled(key: RowKey, rows: int, rate: float, seed: int) -> list[RowKey]:
    """The previous rows that accompany one training row: the same ones whatever else its batch holds."""
    import numpy as np

    if not key.counted:
        return []
    generator = np.random.default_rng((*key.seeds(seed), SEED_PART))
    count = int(rate) + int(generator.random() < rate % 1)
    return [RowKey(int(row), key.epoch) for row in generator.integers(rows, size=count)]


class WithPrevious:
    """Training rows, each with the previous ones that accompany it in `PREVIOUS`."""

    def __init__(self, own: Rows, previous: Rows, rate: float, seed: int) -> None:
        self.own, self.previous, self.rate, self.seed = own, previous, rate, seed

    def __len__(self) -> int:
        return len(self.own)

    def __getitem__(self, key: RowKey) -> dict[str, Any]:
        return self.__getitems__([key])[0]

    def __getitems__(self, keys: list[RowKey]) -> list[dict[str, Any]]:
        rows = self.own.__getitems__(keys)
        wanted = [sampled(key, len(self.previous), self.rate, self.seed) for key in keys]
        flat = [one for some in wanted for one in some]
        previous = iter(self.previous.__getitems__(flat) if flat else [])
        for row, some in zip(rows, wanted, strict=True):
            row[PREVIOUS] = [next(previous) for _ in some]
        return rows


def with_previous_batch(own: Collate, previous: Collate) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
    """A collator of accompanied rows: the previous ones are a batch of their own in `PREVIOUS`, where there are any."""

    def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
        added = [one for row in rows for one in row.pop(PREVIOUS)]
        return {**own(rows), **({PREVIOUS: dict(previous(added))} if added else {})}

    return collate


def problems(config: Config) -> list[Problem]:
    """A backbone that cannot learn the previous rows."""
    if not backbone_is_frozen(config):
        return []
    message = "teaches the backbone previous rows, and freezing=head_only lets no part of it learn; set it to null"
    return [Problem("regularization.replay", message)]
