"""Rows of one split that are in another one too, or are almost like a row there. Test is never touched."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from datasets import DatasetDict

from tunebook.config.schema import CleaningConfig
from tunebook.data import near
from tunebook.data.cleaning.contents import Contents
from tunebook.data.cleaning.findings import AffectedRows, Record, be, partners_of
from tunebook.data.sorting import first_in

DROPPABLE = ("train", "validation")


def apply_policies(splits: DatasetDict, cleaning: CleaningConfig, contents: Contents, record: Record) -> DatasetDict:
    """The splits (in the order train, validation, test) after leaks between each two; the earlier one loses rows.

    Labels do not count: an input that is known from training is known, whatever its label there. What is like
    a row that has just been left out is not searched for again.
    """
    # Validation loses what is in test first, so that train loses nothing for rows that then go themselves.
    pairs = list(reversed(list(combinations(list(splits), 2))))
    for earlier, later in pairs:
        if cleaning.leaks != "ignore":
            splits = record.apply_policy(splits, _exact(splits, earlier, later, contents), cleaning.leaks, DROPPABLE)
    for earlier, later in pairs:
        if cleaning.near_leaks != "ignore" and len(splits[earlier]) and len(splits[later]):
            alike = _near(splits, earlier, later, cleaning.similarity, contents)
            splits = record.apply_policy(splits, alike, cleaning.near_leaks, DROPPABLE) if alike else splits
    return splits


def _exact(splits: DatasetDict, earlier: str, later: str, contents: Contents) -> AffectedRows:
    others = contents.keys(later, splits[later])
    first = first_in(others, contents.keys(earlier, splits[earlier]))
    positions = np.flatnonzero(first >= 0)
    words = f"{be(positions)} in {later} too"
    return AffectedRows(earlier, positions, "leaks", words, partners_of(splits[later], later, first[positions]))


def _near(splits: DatasetDict, earlier: str, later: str, similarity: float, contents: Contents) -> AffectedRows | None:
    texts = contents.sketches(earlier, splits[earlier])
    others = contents.sketches(later, splits[later])
    if texts is None or others is None:
        return None
    exact = first_in(contents.keys(later, splits[later]), contents.keys(earlier, splits[earlier])) >= 0
    pairs = [(other, at) for other, at, _ in near.alike_across(others, texts, similarity) if not exact[at]]
    partners, positions = np.asarray(pairs, dtype=np.int64).reshape(-1, 2).T
    words = f"{be(positions)} almost like a row of {later} (similarity {similarity:g} or more)"
    return AffectedRows(earlier, positions, "near_leaks", words, partners_of(splits[later], later, partners))
