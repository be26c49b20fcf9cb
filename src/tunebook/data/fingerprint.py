"""Says by content which rows a split has, the same on every machine, and which rows stand in two splits."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from datasets import ClassLabel, Dataset, Image
from tqdm.auto import tqdm

from tunebook.config.data_groups import AUXILIARY
from tunebook.data.columns import ROW

logger = logging.getLogger("tunebook")

MANY_IMAGES = 2000
SHOWN = 5
LEARNED = ("paraphrase", "weight")
"""Columns that the model never sees and that training depends on all the same."""


def inputs(split: Dataset, label: str | None) -> list[bytes]:
    """One SHA-256 a row over what the model will see: every role but the label, by name.

    Texts count as UTF-8, images as their files' bytes, so neither cache nor machine changes it.
    """
    roles = sorted(set(split.column_names) - {ROW, label, *AUXILIARY})
    images = [role for role in roles if isinstance(split.features[role], Image)]
    for role in images:
        split = split.cast_column(role, Image(decode=False))
    # A column is read whole, which is ten times as fast as row by row; images, which may not fit, one by one.
    columns = [split[role] if role in images else split[role][:] for role in roles]
    rows: Iterable[tuple[Any, ...]] = zip(*columns, strict=True)
    bar = tqdm(rows, total=len(split), desc="Hashing", disable=not images or len(split) <= MANY_IMAGES)
    return [_digest(roles, row) for row in bar]


def of(split: Dataset, digests: list[bytes], label: str | None, names: Sequence[str] = ()) -> str:
    """SHA-256 of a split as 64 hex digits: its inputs, labels, weights and paraphrases, in order.

    Args:
        split: with encoded labels.
        digests: from `inputs`.
        label: the label's role, or None.
        names: of the labels, where a row may have several.
    """
    total = hashlib.sha256()
    besides = [split[role][:] for role in LEARNED if role in split.column_names]
    for digest, answer, *others in zip(digests, _answers(split, label, names), *besides, strict=True):
        total.update(digest)
        total.update(_framed(answer.encode()))
        for other in others:
            total.update(_framed(repr(other).encode()))
    return total.hexdigest()


def overlaps(splits: Mapping[str, Dataset], digests: Mapping[str, list[bytes]]) -> dict[tuple[str, str], int]:
    """For each pair of splits (earlier, later): rows of the later one whose inputs stand in the earlier one too.

    Each pair that shares rows is told in the log.
    """
    counts = {}
    for earlier, later in combinations(splits, 2):
        known = set(digests[earlier])
        twice = [row for row, digest in zip(splits[later][ROW][:], digests[later], strict=True) if digest in known]
        counts[earlier, later] = len(twice)
        if twice:
            shown = ", ".join(map(str, twice[:SHOWN])) + (", …" if len(twice) > SHOWN else "")
            many = f"{len(twice)} of {len(digests[later])} rows of {later} stand"
            one = f"1 of {len(digests[later])} rows of {later} stands"
            said, rows = (many, "rows") if len(twice) > 1 else (one, "row")
            logger.warning("%s in %s too, word for word: %s %s", said, earlier, rows, shown)
    return counts


def _answers(split: Dataset, label: str | None, names: Sequence[str]) -> list[str]:
    """Labels by name, so that the order of their ids does not count."""
    if label is None:
        return [""] * len(split)
    feature = split.features[label]
    if isinstance(feature, ClassLabel):
        return [feature.int2str(value) for value in split[label][:]]
    if names:
        told = [[name for name, there in zip(names, row, strict=True) if there] for row in split[label][:]]
        return ["\0".join(sorted(row)) for row in told]
    return [repr(value) for value in split[label][:]]


def _digest(roles: list[str], row: tuple[Any, ...]) -> bytes:
    total = hashlib.sha256()
    for role, value in zip(roles, row, strict=True):
        total.update(_framed(role.encode()))
        total.update(_framed(_content(value)))
    return total.digest()


def _content(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    return value["bytes"] if value["bytes"] is not None else Path(value["path"]).read_bytes()


def _framed(content: bytes) -> bytes:
    # With its length in front, "ab" + "c" cannot pass for "a" + "bc".
    return len(content).to_bytes(8, "big") + content
