"""Says by content which rows a split has, the same on every machine, and which rows stand in two splits."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from datasets import Dataset, Image
from tqdm.auto import tqdm

from tunebook.data.columns import ROW

logger = logging.getLogger("tunebook")

MANY_IMAGES = 2000
SHOWN = 5


def inputs(split: Dataset, label: str | None) -> list[bytes]:
    """One SHA-256 a row over what the model will see: every role but the label, by name.

    Texts count as UTF-8, images as their files' bytes, so neither cache nor machine changes it.
    """
    roles = sorted(set(split.column_names) - {ROW, label})
    images = [role for role in roles if isinstance(split.features[role], Image)]
    for role in images:
        split = split.cast_column(role, Image(decode=False))
    rows: Iterable[tuple[Any, ...]] = zip(*(split[role] for role in roles), strict=True)
    bar = tqdm(rows, total=len(split), desc="Hashing", disable=not images or len(split) <= MANY_IMAGES)
    return [_digest(roles, row) for row in bar]


def of(split: Dataset, digests: list[bytes], label: str | None) -> str:
    """SHA-256 of a split as 64 hex digits: its inputs and label names, in order.

    Args:
        split: with the label as a ClassLabel.
        digests: from `inputs`.
        label: the label's role, or None.
    """
    total = hashlib.sha256()
    names = [split.features[label].int2str(value) for value in split[label]] if label else [""] * len(split)
    for digest, name in zip(digests, names, strict=True):
        total.update(digest)
        total.update(_framed(name.encode()))
    return total.hexdigest()


def overlaps(splits: Mapping[str, Dataset], digests: Mapping[str, list[bytes]]) -> dict[tuple[str, str], int]:
    """For each pair of splits (earlier, later): rows of the later one whose inputs stand in the earlier one too.

    Each pair that shares rows is told in the log.
    """
    counts = {}
    for earlier, later in combinations(splits, 2):
        known = set(digests[earlier])
        twice = [row for row, digest in zip(splits[later][ROW], digests[later], strict=True) if digest in known]
        counts[earlier, later] = len(twice)
        if twice:
            shown = ", ".join(map(str, twice[:SHOWN])) + (", …" if len(twice) > SHOWN else "")
            many = f"{len(twice)} of {len(digests[later])} rows of {later} stand"
            one = f"1 of {len(digests[later])} rows of {later} stands"
            logger.warning("%s in %s too, word for word: row %s", many if len(twice) > 1 else one, earlier, shown)
    return counts


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
