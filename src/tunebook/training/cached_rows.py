"""Encoded rows that bring the states of the frozen backbone with them. Knows the store of states and collated batches.

A row carries the number of its states: whatever draws, orders, repeats or shares out rows needs to know nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import datasets
import torch
from torch.utils.data import Dataset

from tunebook.answers.base import Answer
from tunebook.models.cache.boundary import TOKENS
from tunebook.models.cache.placeholders import Placeholders
from tunebook.models.cache.states_file import StatesReader
from tunebook.tasks.base import beside

STATES, STATE_OF, SPLIT = "states", "state_of", "split"
"""In a collated batch: the states. In a row: the number of its states, and the split that it is of."""


class CachedRows(Dataset):
    """The rows of an encoded split, each with the number of its states.

    Args:
        encoded: the split.
        name: of the split.
        bare: rows have no inputs of the model, as nothing will look at them; they are not even decoded.
    """

    def __init__(self, encoded: datasets.Dataset, name: str, bare: bool) -> None:
        self.encoded, self.name = encoded, name
        plain = encoded.with_format(None)
        label = "labels" if "labels" in plain.column_names else "label"
        self.known = (plain[label][:], plain["row"][:]) if bare else None

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, place: int) -> dict[str, Any]:
        return self.__getitems__([place])[0]

    def __getitems__(self, places: Sequence[int]) -> list[dict[str, Any]]:
        if self.known is None:
            rows = cast(list[dict[str, Any]], self.encoded.__getitems__(list(places)))
        else:
            labels, numbers = self.known
            rows = [{"labels": labels[place], "row": numbers[place]} for place in places]
        for place, row in zip(places, rows, strict=True):
            row[STATE_OF], row[SPLIT] = int(place), self.name
        return rows


class Joining:
    """A collator of rows that may have states.

    Args:
        collate: the task's.
        stored: split -> its states.
        placeholders: for bare rows; None: rows have their inputs.
        answer: of the task.
        by_token: whether states have a vector for each token.
    """

    def __init__(
        self,
        collate: Callable[[list[dict[str, Any]]], Mapping[str, torch.Tensor]],
        stored: Mapping[str, StatesReader],
        placeholders: Placeholders | None,
        answer: Answer,
        by_token: bool,
    ) -> None:
        self.collate, self.stored, self.placeholders = collate, stored, placeholders
        self.answer, self.by_token = answer, by_token

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """The batch, with `states` where the rows have some, shape (rows, tokens of the batch, …) or (rows, …)."""
        if STATE_OF not in rows[0]:
            return dict(self.collate(rows))
        stored = self.stored[rows[0][SPLIT]]
        places = [row[STATE_OF] for row in rows]
        lengths = stored.lengths(places)
        if self.placeholders is None:
            plain = [{name: row[name] for name in row if name not in {STATE_OF, SPLIT}} for row in rows]
            batch = dict(self.collate(plain))
        else:
            batch = {**self.placeholders(lengths, int(lengths.max())), **beside(rows, self.answer)}
        return {**batch, STATES: self._states(stored.rows(places), batch)}

    def _states(self, found: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        if not self.by_token:
            return found
        own = batch[TOKENS].bool()
        # Where a row has no token nothing is looked at; zeros, as they are finite.
        states = torch.zeros((*own.shape, *found.shape[1:]), dtype=found.dtype)
        states[own] = found
        return states
