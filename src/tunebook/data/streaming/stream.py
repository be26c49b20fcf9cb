"""The training rows of a run, one pass after another, and what a pass has met. Knows no format and no step."""

from __future__ import annotations

import json
import logging
from collections.abc import Generator
from pathlib import Path
from typing import Any

from tunebook.data.columns import all_sources
from tunebook.data.streaming.reader import Reader
from tunebook.data.streaming.row_work import Left, RowWork
from tunebook.errors import DataError, Problem

logger = logging.getLogger("tunebook")

MOST_WRITTEN = 10_000
"""Rows that dropped.jsonl holds at most; all are counted."""


class Dropped:
    """Rows that a pass leaves out, written as it goes.

    Args:
        path: of dropped.jsonl, begun anew; None: they are only counted.
    """

    def __init__(self, path: Path | None) -> None:
        self.path, self.count = path, 0
        if path:
            path.unlink(missing_ok=True)

    def add(self, row: int, left: Left) -> None:
        """Count and write one row."""
        self.count += 1
        if self.path is None or self.count > MOST_WRITTEN:
            return
        line = {"split": "train", "row": row, "reason": f"missing: has {left.reason}", "values": left.values}
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")


class Stream:
    """Training rows with roles, read anew in every pass, always in the same order.

    Args:
        reader: of the source.
        work: on each row.
        stated: rows that the source should have (`dataset.rows.train`); None: unknown.
    """

    def __init__(self, reader: Reader, work: RowWork, stated: int | None) -> None:
        self.reader, self.work, self.stated = reader, work, stated
        self.seen = 0

    @property
    def length(self) -> int | None:
        """Rows that every pass gives, where that is known before: stated, and none can be left out."""
        return None if self.work.cleaning.missing == "drop" else self.stated

    def rows(self, dropped: Path | None = None) -> Generator[dict[str, Any]]:
        """One pass.

        Args:
            dropped: where rows that are left out are written.

        Raises:
            DataError: a row that cannot be used; no rows at all; another number of rows than stated.
        """
        left_out, read = Dropped(dropped), 0
        for raw in self.reader.rows(self._columns()):
            if read == self.stated:
                raise DataError(Problem("dataset.rows.train", self._other(f"there are more, from {raw.place} on")))
            made = self.work(raw.values, raw.place, read)
            if not isinstance(made, Left):
                yield made
            elif self.work.cleaning.missing == "drop":
                left_out.add(read, made)
            else:
                raise DataError(_missing(made, read, raw.place, self.work.cleaning.missing))
            read += 1
            self.seen = max(self.seen, read)
        if read == left_out.count:
            message = "has no rows" if not read else f"all {read} rows lack a value, and none is left"
            raise DataError(Problem(self.reader.place, message))
        if self.stated is not None and read < self.stated:
            raise DataError(Problem("dataset.rows.train", self._other(f"there are {read}")))
        dropped_words = f"; {left_out.count:,} of them lack a value and were left out" if left_out.count else ""
        logger.debug("one pass over the stream: %s rows%s", f"{read:,}", dropped_words)
        if left_out.count and dropped:
            logger.warning("the stream has %s training rows%s", f"{read:,}", dropped_words)

    def _columns(self) -> list[str]:
        return all_sources(self.work.columns)

    def _other(self, found: str) -> str:
        return f"states {self.stated} rows; {found}. Is it the right data? Otherwise state how many there are"


def _missing(left: Left, row: int, place: str, policy: str) -> Problem:
    mend = "complete it, or leave such rows out with cleaning.missing=drop"
    if policy == "report":
        mend = "a missing label cannot be kept; leave such rows out with cleaning.missing=drop"
    return Problem(place, f"row {row} (counted from 0) has {left.reason}; {mend}")
