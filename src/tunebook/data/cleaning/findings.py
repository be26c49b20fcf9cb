"""Findings of cleaning, and the policies that are applied to them. Knows splits, not how rows are compared."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from datasets import ClassLabel, Dataset, DatasetDict, Image

from tunebook import files
from tunebook.data import chunks
from tunebook.data.checks import SHOWN, roles_of, rows_in_words
from tunebook.data.columns import ROW
from tunebook.errors import Problem

logger = logging.getLogger("tunebook")

Partner = tuple[str, int]


@dataclass(frozen=True)
class Finding:
    """Rows of one split that have one thing wrong with them.

    Args:
        kind: missing, duplicates, near_duplicates, conflicts, leaks, near_leaks or label_noise.
        policy: report, drop or error.
        split: of the rows.
        rows: their numbers in the source's split; of a pair of duplicates, the later one's.
        partners: for each row the (split, row) that it repeats, contradicts or leaks into; [] where there is none.
        dropped: how many of the rows were left out.
        words: one sentence for table and log.
        of: the rows that were checked, of which these are some; 0: unknown.
    """

    kind: str
    policy: str
    split: str
    rows: list[int]
    partners: list[Partner]
    dropped: int
    words: str
    of: int = 0


@dataclass(frozen=True)
class AffectedRows:
    """Rows of one split that have something wrong with them, before a policy is applied.

    Their positions within the split; what is wrong in words, as in 'repeat an earlier one', which the count is put in
    front of; and one partner for each position, or none.
    """

    split: str
    positions: Sequence[int] | np.ndarray
    kind: str
    words: str
    partners: Sequence[Partner] = ()


@dataclass(frozen=True)
class Dropped:
    """A row (by its number in the source's split) that was left out of a split, and why.

    The values of its roles are texts, the label by name, and of images the size (width, height) only.
    """

    split: str
    row: int
    reason: str
    values: dict[str, Any]


@dataclass
class Record:
    """Gathers findings, dropped rows and the problems of findings that are errors."""

    label_names: list[str] = field(default_factory=list)
    """For the labels of dropped rows, once they are known."""
    findings: list[Finding] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def apply_policy(
        self, splits: DatasetDict, affected: AffectedRows, policy: str, droppable: Sequence[str] = ("train",)
    ) -> DatasetDict:
        """Do with the rows what the policy (report, drop or error) says, and report them.

        Returns:
            The splits, without the rows if they are dropped, which only `droppable` splits allow.
        """
        if not len(affected.positions):
            return splits
        split, kind, partners = affected.split, affected.kind, list(affected.partners)
        data = splits[split]
        rows = numbers_of(data, affected.positions)
        drop = policy == "drop" and split in droppable
        sentence = f"{in_words(len(rows), len(data), split)} {affected.words}"
        dropped = len(rows) if drop else 0
        self.findings.append(Finding(kind, policy, split, rows, partners, dropped, sentence, len(data)))
        log = logger.warning if kind in {"leaks", "near_leaks"} else logger.info
        log("%s: %s%s", sentence, rows_in_words(rows, 5), "; left out" if drop else "")
        if policy == "error":
            others = [f"{name} {row}" for name, row in partners[:SHOWN]]
            pairs = f" (see {', '.join(others)}{', …' if len(partners) > SHOWN else ''})" if others else ""
            fix = f"correct or remove them, or set cleaning.{kind} to report or drop"
            self.problems.append(Problem(f"cleaning.{kind}", f"{sentence}: {rows_in_words(rows)}{pairs}; {fix}"))
        if not drop:
            return splits
        reason = f"{kind}: {affected.words}"
        self.dropped += dropped_rows(data, split, affected.positions, reason, self.label_names, partners)
        left = np.setdiff1d(np.arange(len(data)), np.asarray(affected.positions))
        return DatasetDict({**splits, split: data.select(left)})

    def dropped_words(self, split: str = "train") -> str:
        """What cleaning dropped from a split, as the end of a message; "" where nothing."""
        counts: dict[str, int] = {}
        for finding in self.findings:
            if finding.split == split and finding.dropped:
                counts[finding.kind] = counts.get(finding.kind, 0) + finding.dropped
        if not counts:
            return ""
        each = ", ".join(f"{count} by cleaning.{kind}" for kind, count in counts.items())
        return f"; rows were dropped from {split} before: {each}"


def dropped_rows(
    data: Dataset,
    split: str,
    positions: Sequence[int] | np.ndarray,
    reason: str,
    label_names: Sequence[str] = (),
    partners: Sequence[Partner] = (),
) -> list[Dropped]:
    """The rows of a split at some positions as records of what was left out.

    Args:
        data: the rows of the split.
        split: its name.
        positions: of the rows within `data`.
        reason: in words.
        label_names: for labels that are ids or 0 and 1 of each.
        partners: one for each position, named in the reason; or none.
    """
    left_out, roles = data.select(np.asarray(positions, dtype=np.int64)), roles_of(data)
    # Columns are read whole, which is ten times as fast; images, which may not fit into memory, one by one.
    columns = [left_out[role] if isinstance(data.features[role], Image) else left_out[role][:] for role in roles]
    others = [f" ({name} row {row})" for name, row in partners] or [""] * len(positions)
    records = []
    for row, other, *values in zip(left_out[ROW][:], others, *columns, strict=True):
        shown = {
            role: _shown(value, data.features[role], label_names) for role, value in zip(roles, values, strict=True)
        }
        records.append(Dropped(split, row, reason + other, shown))
    return records


def numbers_of(data: Dataset, positions: Sequence[int] | np.ndarray) -> list[int]:
    """The row numbers of the rows at these positions."""
    numbers: list[int] = chunks.Reader(data, [ROW]).read(np.asarray(positions, dtype=np.int64)).column(0).to_pylist()
    return numbers


def partners_of(data: Dataset, split: str, positions: np.ndarray) -> list[Partner]:
    """The rows at these positions as partners of others."""
    return [(split, row) for row in numbers_of(data, positions)]


def write_dropped(path: Path, dropped: Sequence[Dropped]) -> None:
    """One row a line, as JSON: split, row, reason and values."""
    with files.writing(path) as stream:
        for one in dropped:
            line = {"split": one.split, "row": one.row, "reason": one.reason, "values": one.values}
            stream.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")


def in_words(count: int, of: int, split: str) -> str:
    """As in '1 row of 980 in train', '12 rows of 980 in train'."""
    return f"{count:,} row{'s' if count > 1 else ''} of {of:,} in {split}"


def be(positions: Sequence[int] | np.ndarray) -> str:
    """'is' of one row, 'are' of several or none."""
    return "is" if len(positions) == 1 else "are"


def _shown(value: Any, feature: Any, names: Sequence[str]) -> Any:
    if isinstance(feature, Image):
        return None if value is None else list(value.size)
    if isinstance(feature, ClassLabel):
        return feature.int2str(value) if value is not None and value >= 0 else None
    if isinstance(value, list) and names and len(value) == len(names):
        return [name for name, there in zip(names, value, strict=True) if there]
    return value
