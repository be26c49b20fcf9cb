"""Identifies rows and splits by their content, the same on every machine, and counts rows that are in two splits."""

from __future__ import annotations

import hashlib
import logging
import struct
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Audio, ClassLabel, Dataset, Image
from tqdm.auto import tqdm

from tunebook.config.data_groups import AUXILIARY
from tunebook.data import chunks
from tunebook.data.columns import ROW
from tunebook.data.reading.storage import scratch_array
from tunebook.data.sorting import first_in

logger = logging.getLogger("tunebook")

MANY_FILES = 2000
SHOWN = 5
LEARNED = ("paraphrase", "weight")
"""Columns that the model never sees and that training depends on all the same."""


def inputs(split: Dataset, targets: Collection[str]) -> np.ndarray:
    """SHA-256 of each row's input, (rows, 32), uint8: of every column but the targets, by name.

    Texts count as UTF-8, images and sounds as their files' bytes, so neither cache nor machine changes it; lists and
    objects count by what is in them, each part with its length.
    """
    roles = sorted(set(split.column_names) - {ROW, *targets, *AUXILIARY})
    frames = [_framed(role.encode()) for role in roles]
    digests = scratch_array((len(split), 32), np.uint8)
    if not roles:
        digests[:] = np.frombuffer(hashlib.sha256().digest(), dtype=np.uint8)
    first = 0
    for columns in _columns(split, roles):
        rows = []
        for row in zip(*columns, strict=True):
            parts = [part for frame, value in zip(frames, row, strict=True) for part in (frame, _sized(value))]
            rows.append(hashlib.sha256(b"".join(parts)).digest())
        digests[first : first + len(rows)] = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(-1, 32)
        first += len(rows)
    return digests


def targets_of(split: Dataset, targets: Collection[str]) -> np.ndarray:
    """Each row's targets in a form that can be compared, (rows, 1 or 2), uint64; all 0 where there are none.

    Equal within a split only, as classes count by their ids.
    """
    roles = sorted(set(targets) & set(split.column_names))
    if len(roles) == 1 and isinstance(split.features[roles[0]], ClassLabel):
        return chunks.column(split, roles[0]).astype(np.int64).view(np.uint64)[:, None]
    keys, first = np.zeros((len(split), 2), dtype=np.uint64), 0
    for columns in _columns(split, roles):
        rows = [hashlib.sha256(_canonical(list(row))).digest()[:16] for row in zip(*columns, strict=True)]
        keys[first : first + len(rows)] = np.frombuffer(b"".join(rows), dtype=np.uint64).reshape(-1, 2)
        first += len(rows)
    return keys


def keys_of(digests: np.ndarray) -> np.ndarray:
    """Digests as numbers for `sorting.first_equal`, (rows, 2), uint64: 128 bits tell any number of rows apart."""
    return digests.view(np.uint64)[:, :2]


def of(split: Dataset, digests: np.ndarray, targets: Collection[str], names: Sequence[str] = ()) -> str:
    """SHA-256 of a split as 64 hex digits: its inputs, encoded targets, weights and paraphrases, in order.

    Args:
        split: with encoded labels.
        digests: from `inputs`.
        targets: the roles that the model is to predict.
        names: of the labels, where a row may have several.
    """
    total = hashlib.sha256()
    roles = sorted(set(targets) & set(split.column_names))
    forms = [_target_form(split.features[role], names) for role in roles]
    others = [role for role in LEARNED if role in split.column_names]
    digest = iter(digests)
    for columns in _columns(split, [*roles, *others]):
        for row in zip(*columns, strict=True):
            total.update(next(digest))
            for form, value in zip(forms, row, strict=False):
                total.update(_framed(form(value)))
            for value in row[len(roles) :]:
                total.update(_framed(repr(value).encode()))
    if not (roles or others):
        total.update(digests.tobytes())
    return total.hexdigest()


def overlaps(splits: Mapping[str, Dataset], digests: Mapping[str, np.ndarray]) -> dict[tuple[str, str], int]:
    """For each pair of splits (earlier, later): rows of the later one whose inputs are in the earlier one too.

    Each pair that shares rows is reported in the log.
    """
    counts = {}
    for earlier, later in combinations(splits, 2):
        shared = np.flatnonzero(first_in(keys_of(digests[earlier]), keys_of(digests[later])) >= 0)
        counts[earlier, later] = len(shared)
        if len(shared):
            rows = chunks.row_numbers(splits[later])[shared[:SHOWN]].tolist()
            shown = ", ".join(map(str, rows)) + (", …" if len(shared) > SHOWN else "")
            many = len(shared) > 1
            logger.warning(
                "%d of %d rows of %s %s in %s too, word for word: %s %s",
                len(shared), len(splits[later]), later, "are" if many else "is", earlier, "rows" if many else "row",
                shown,
            )  # fmt: skip
    return counts


def _columns(split: Dataset, roles: Sequence[str]) -> Iterator[list[list[Any]]]:
    """The columns as Python values, piece by piece; files of images and sounds as their bytes. Nothing of no roles."""
    if not roles:
        return
    files = [isinstance(split.features[role], Image | Audio) for role in roles]
    with tqdm(total=len(split), desc="Hashing", disable=not any(files) or len(split) <= MANY_FILES or None) as bar:
        for table in chunks.tables(split, roles, chunks.FILE_ROWS if any(files) else chunks.ROWS):
            columns = [column.to_pylist() for column in table.columns]
            yield [list(map(_file, one)) if is_file else one for one, is_file in zip(columns, files, strict=True)]
            bar.update(len(table))


def _file(value: dict[str, Any] | None) -> bytes | None:
    if value is None:
        return None
    content: bytes | None = value["bytes"]
    return content if content is not None else Path(value["path"]).read_bytes()


def _target_form(feature: Any, names: Sequence[str]) -> Callable[[Any], bytes]:
    """How a target counts: classes by name, so that the order of their ids makes no difference."""
    inner = getattr(feature, "feature", None)
    if isinstance(feature, ClassLabel):
        return lambda value: str(feature.int2str(value)).encode()
    if isinstance(inner, ClassLabel):
        return lambda value: _canonical([inner.int2str(one) for one in value or []])
    if getattr(inner, "dtype", None) == "int8" and names:
        return lambda value: "\0".join(sorted(n for n, there in zip(names, value, strict=True) if there)).encode()
    return lambda value: repr(value).encode() if isinstance(value, str | int | float) else _canonical(value)


def _sized(value: Any) -> bytes:
    """An input value with its length in front; texts and files count as they are."""
    content = value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else _canonical(value)
    return _framed(content)


def _canonical(value: Any) -> bytes:
    """Any value of Arrow as bytes that no other value has; fields of an object that are None do not count."""
    if value is None:
        return b"\0none"
    if isinstance(value, bool | int):
        return b"\0whole" + str(int(value)).encode()
    if isinstance(value, float):
        return b"\0number" + struct.pack(">d", value + 0.0)  # -0.0 is 0.0
    if isinstance(value, str):
        return b"\0text" + value.encode()
    if isinstance(value, bytes):
        return b"\0bytes" + value
    if isinstance(value, list):
        return b"\0list" + b"".join(_framed(_canonical(one)) for one in value)
    if isinstance(value, dict):
        there = sorted((key, one) for key, one in value.items() if one is not None)
        return b"\0object" + b"".join(_framed(key.encode()) + _framed(_canonical(one)) for key, one in there)
    return b"\0other" + repr(value).encode()


def _framed(content: bytes) -> bytes:
    # With its length in front, "ab" + "c" cannot pass for "a" + "bc".
    return len(content).to_bytes(8, "big") + content
