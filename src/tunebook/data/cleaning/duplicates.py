"""The same input twice in one split: with the same label, with another one, or almost the same. Knows no leaks."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from datasets import Dataset, DatasetDict

from tunebook.config.schema import CleaningConfig
from tunebook.data import near
from tunebook.data.cleaning.contents import Contents
from tunebook.data.cleaning.findings import Partner, Record
from tunebook.data.columns import ROW


def settled(splits: DatasetDict, cleaning: CleaningConfig, contents: Contents, record: Record) -> DatasetDict:
    """The splits after duplicates, conflicts and near-duplicates within each, in this order.

    Near-duplicates come last, so that no row is left out for being like one that is itself left out for a conflict.

    Args:
        splits: with encoded labels.
        cleaning: the policies.
        contents: of the rows.
        record: takes the findings.
    """
    for name in list(splits):
        for find, policy in ((_duplicates, cleaning.duplicates), (_conflicts, cleaning.conflicts)):
            if policy != "ignore" and len(splits[name]) > 1 and (contents.label or find is _duplicates):
                splits = find(splits, name, policy, contents, record)
        if cleaning.near_duplicates != "ignore" and len(splits[name]) > 1:
            splits = _near(splits, name, cleaning, contents, record)
    return splits


def labels_of(split: Dataset, label: str | None) -> list[Hashable]:
    """The labels in a form that can be compared and counted."""
    if label is None:
        return [None] * len(split)
    return [_hashable(value) for value in split[label][:]]


def _duplicates(splits: DatasetDict, name: str, policy: str, contents: Contents, record: Record) -> DatasetDict:
    split = splits[name]
    first: dict[Any, int] = {}
    positions, partners = [], []
    keys = zip(contents.digests(name, split), labels_of(split, contents.label), split[ROW][:], strict=True)
    for at, (digest, answer, row) in enumerate(keys):
        earlier = first.setdefault((digest, answer), row)
        if earlier != row:
            positions.append(at)
            partners.append((name, earlier))
    words = _agreeing("repeat", positions) + " an earlier one"
    return record.settle(splits, name, positions, "duplicates", policy, words, partners)


def _conflicts(splits: DatasetDict, name: str, policy: str, contents: Contents, record: Record) -> DatasetDict:
    split = splits[name]
    digests, answers, rows = contents.digests(name, split), labels_of(split, contents.label), split[ROW][:]
    first: dict[bytes, dict[Hashable, int]] = {}
    for digest, answer, row in zip(digests, answers, rows, strict=True):
        first.setdefault(digest, {}).setdefault(answer, row)
    positions: list[int] = []
    partners: list[Partner] = []
    for at, (digest, answer) in enumerate(zip(digests, answers, strict=True)):
        against = [row for other, row in first[digest].items() if other != answer]
        if against:
            positions.append(at)
            partners.append((name, against[0]))
    words = _agreeing("stand", positions) + " there with another label too"
    return record.settle(splits, name, positions, "conflicts", policy, words, partners)


def _near(splits: DatasetDict, name: str, cleaning: CleaningConfig, contents: Contents, record: Record) -> DatasetDict:
    split = splits[name]
    sketches = contents.sketches(name, split)
    if sketches is None:
        return splits
    # What is the same to the letter is told as duplicates and conflicts; here each such input counts once.
    distinct = list({digest: at for at, digest in reversed(list(enumerate(contents.digests(name, split))))}.values())
    distinct.sort()
    answers, rows = labels_of(split, contents.label), split[ROW][:]
    pairs = [(distinct[a], distinct[b]) for a, b, _ in near.alike(sketches.take(distinct), cleaning.similarity)]
    positions = [later for _, later in pairs]
    unlike = sum(answers[earlier] != answers[later] for earlier, later in pairs)
    words = f"{_agreeing('are', positions)} almost like an earlier one (similarity {cleaning.similarity:g} or more"
    words += f"; {unlike} of them with another label)" if unlike else ")"
    partners = [(name, rows[earlier]) for earlier, _ in pairs]
    return record.settle(splits, name, positions, "near_duplicates", cleaning.near_duplicates, words, partners)


def _hashable(value: Any) -> Hashable:
    return tuple(value) if isinstance(value, list) else value


def _agreeing(verb: str, positions: list[int]) -> str:
    """The verb, as it goes with the number of rows."""
    return verb if len(positions) != 1 else "is" if verb == "are" else f"{verb}s"
