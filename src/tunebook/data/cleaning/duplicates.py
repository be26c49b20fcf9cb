"""The same input more than once in one split: with the same target, with another one, or almost the same input."""

from __future__ import annotations

import numpy as np
from datasets import DatasetDict

from tunebook.config.schema import CleaningConfig
from tunebook.data import near
from tunebook.data.cleaning.contents import Contents
from tunebook.data.cleaning.findings import AffectedRows, Record, be, partners_of
from tunebook.data.fingerprint import targets_of
from tunebook.data.sorting import first_equal


def apply_policies(splits: DatasetDict, cleaning: CleaningConfig, contents: Contents, record: Record) -> DatasetDict:
    """The splits, with encoded labels, after duplicates, conflicts and near-duplicates within each, in this order.

    Near-duplicates come last, so that no row is left out for being like one that is itself left out for a conflict.
    """
    for name in list(splits):
        if cleaning.duplicates != "ignore" and len(splits[name]) > 1:
            splits = record.apply_policy(splits, _duplicates(splits, name, contents), cleaning.duplicates)
        if cleaning.conflicts != "ignore" and len(splits[name]) > 1 and contents.targets:
            splits = record.apply_policy(splits, _conflicts(splits, name, contents), cleaning.conflicts)
        if cleaning.near_duplicates != "ignore" and len(splits[name]) > 1:
            alike = _near_duplicates(splits, name, cleaning.similarity, contents)
            splits = record.apply_policy(splits, alike, cleaning.near_duplicates) if alike else splits
    return splits


def _duplicates(splits: DatasetDict, name: str, contents: Contents) -> AffectedRows:
    split = splits[name]
    first = first_equal(contents.keys(name, split), targets_of(split, contents.targets))
    positions = np.flatnonzero(first != np.arange(len(first)))
    words = f"repeat{'s' if len(positions) == 1 else ''} an earlier one"
    return AffectedRows(name, positions, "duplicates", words, partners_of(split, name, first[positions]))


def _conflicts(splits: DatasetDict, name: str, contents: Contents) -> AffectedRows:
    split = splits[name]
    keys = contents.keys(name, split)
    first = first_equal(keys)
    # The first row with the same input and target is the first one with the input, unless their targets differ.
    differs = first_equal(keys, targets_of(split, contents.targets)) != first
    other = np.full(len(first), -1)
    against = np.flatnonzero(differs)[::-1]
    other[first[against]] = against  # of several, the last one written counts: the earliest row
    partner = np.where(differs, first, other[first])
    positions = np.flatnonzero(partner >= 0)
    words = f"occur{'s' if len(positions) == 1 else ''} with another label too"
    return AffectedRows(name, positions, "conflicts", words, partners_of(split, name, partner[positions]))


def _near_duplicates(splits: DatasetDict, name: str, similarity: float, contents: Contents) -> AffectedRows | None:
    split = splits[name]
    sketches = contents.sketches(name, split)
    if sketches is None:
        return None
    # What is the same to the letter is reported as duplicates and conflicts; here each such input counts once.
    first = first_equal(contents.keys(name, split))
    distinct = np.flatnonzero(first == np.arange(len(first)))
    pairs = [(pair[0], pair[1]) for pair in near.alike(sketches.take(distinct), similarity)]
    earlier, later = distinct[np.asarray(pairs, dtype=np.int64).reshape(-1, 2)].T
    targets = targets_of(split, contents.targets)
    unlike = int((targets[earlier] != targets[later]).any(axis=1).sum())
    words = f"{be(later)} almost like an earlier one (similarity {similarity:g} or more"
    words += f"; {unlike} of them with another label)" if unlike else ")"
    return AffectedRows(name, later, "near_duplicates", words, partners_of(split, name, earlier))
