"""The rows as the checks read them: texts, labels, words and image thumbnails, each made once for all checks.

Of a split with more than 50,000 rows the texts of so many are read, chosen by the seed; labels are counted in every
row, piece by piece. So memory does not grow with the texts of a large data set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from datasets import Dataset, Image

from tunebook.data import chunks
from tunebook.data.audit import thumbnails
from tunebook.data.audit.check_result import Row
from tunebook.data.audit.facts import AuditFacts
from tunebook.data.columns import ROW, target_roles
from tunebook.data.kinds import TEXTUAL, as_text
from tunebook.data.labels.base import class_counts, class_members

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scipy.sparse import csr_matrix

    from tunebook.data.prepare import PreparedData

T = TypeVar("T")

MOST_TEXTS = 50_000
MOST_IMAGES = 2000
# Scripts without blanks between words: each character counts as a word.
_SIGNS = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
WORD = rf"[{_SIGNS}]|[^\W{_SIGNS}]+"


@dataclass(frozen=True)
class Words:
    """Which words are in which rows.

    Args:
        names: the words, in lower case, (words,).
        rows: split to 0/1 of the rows at `AuditContext.text_rows`, (rows, words), float32.
    """

    names: np.ndarray
    rows: dict[str, csr_matrix]


class AuditContext:
    """Prepared data, seen by the audit.

    Args:
        data: from `prepare`.
        facts: what the rows do not hold.

    Attributes:
        splits: those with rows, train first.
        label: the encoded label column of `splits`, or None.
        text_roles: columns of texts, tokens or messages that are inputs.
        target_text_roles: such columns that the model is to write.
        image_role: the column of images, or None.
    """

    def __init__(self, data: PreparedData, facts: AuditFacts) -> None:
        self.data, self.facts = data, facts
        self.splits: dict[str, Dataset] = {name: split for name, split in data.splits.items() if len(split)}
        features = next(iter(self.splits.values())).features if self.splits else {}
        self.label = data.label if data.label and data.label.role in features else None
        encoded = self.label.role if self.label else None
        columns = {role: column for role, column in data.columns.items() if role in features and role != encoded}
        textual = [role for role, column in columns.items() if column.kind in TEXTUAL]
        targets = target_roles(columns)
        self.text_roles = [role for role in textual if role not in targets]
        self.target_text_roles = [role for role in textual if role in targets]
        self.image_role = next((role for role in columns if isinstance(features[role], Image)), None)
        self._made: dict[tuple[str, ...], Any] = {}

    @property
    def names(self) -> Sequence[str]:
        """Of the classes, in the order of their ids."""
        return self.data.targets.names

    @property
    def has_classes(self) -> bool:
        """Whether training rows have classes."""
        return "train" in self.splits and self.label is not None and self.label.type.has_classes

    def text_rows(self, split: str) -> np.ndarray:
        """Positions of the rows whose texts are read: all, or 50,000 chosen by the seed."""
        return self.sample(len(self.splits[split]), MOST_TEXTS)

    def sampled_texts(self) -> dict[str, int]:
        """Splits of which not every text is read, with the number of texts that are."""
        return {name: MOST_TEXTS for name, split in self.splits.items() if len(split) > MOST_TEXTS}

    def texts(self, split: str, roles: Sequence[str] | None = None) -> list[str]:
        """One text a row at `text_rows`; of several columns (None: the inputs) all of them, joined by a blank."""
        columns = [self._column_texts(split, role) for role in (self.text_roles if roles is None else roles)]
        return columns[0] if len(columns) == 1 else [" ".join(parts) for parts in zip(*columns, strict=True)]

    def strata(self, split: str) -> np.ndarray:
        """Of every row its class id, (rows,), or 0 and 1 of each class, (rows, classes)."""

        def read() -> np.ndarray:
            strata = self.label.strata(self.splits[split]) if self.label else None
            if strata is None:
                raise TypeError("the rows have no classes")
            return strata

        return self._once(("strata", split), read)

    def counts(self, split: str) -> np.ndarray:
        """Rows of each class, (classes,)."""
        return class_counts(self.strata(split), len(self.names))

    def indicators(self, split: str, at: np.ndarray) -> np.ndarray:
        """Which classes the rows at some positions have, 0/1, float32, (rows, classes)."""
        return class_members(self.strata(split)[at], len(self.names)).astype(np.float32)

    @cached_property
    def words(self) -> Words:
        """Of the input texts of every split, counted once."""
        from scipy.sparse import csr_matrix
        from sklearn.feature_extraction.text import CountVectorizer

        sizes = {split: len(self.text_rows(split)) for split in self.splits}
        vectorizer = CountVectorizer(binary=True, token_pattern=WORD, dtype=np.float32)
        try:
            counts = vectorizer.fit_transform(text for split in self.splits for text in self.texts(split))
            names = vectorizer.get_feature_names_out()
        except ValueError:  # no row has any word
            counts = csr_matrix((sum(sizes.values()), 0), dtype=np.float32)
            names = np.asarray([], dtype=object)
        ends = np.cumsum(list(sizes.values()))
        return Words(names, {name: counts[end - sizes[name] : end] for name, end in zip(sizes, ends, strict=True)})

    def images(self, split: str) -> thumbnails.Thumbnails:
        """Size, mode and a thumbnail of a split's images; of at most 2,000 of them, chosen by the seed."""
        rows, role = self.splits[split], str(self.image_role)
        at = self.sample(len(rows), MOST_IMAGES)
        return self._once(("images", split), lambda: thumbnails.of(rows, role, at, split))

    def sample(self, count: int, most: int) -> np.ndarray:
        """Positions of at most so many rows, chosen by the seed, in order."""
        if count <= most:
            return np.arange(count)
        return np.sort(np.random.default_rng(self.facts.seed).choice(count, most, replace=False))

    def row(self, split: str, number: int) -> Row | None:
        """A row by its number in the source's split, also one that was dropped or carved; None: it is not there."""
        carved = self.facts.carved if split == "train" else ()
        # A carved split's rows have the numbers of the training rows that they were.
        for name in (*carved, split):
            if name in self.splits and len(at := np.flatnonzero(self._row_numbers(name) == number)):
                shown = self.shown(name, int(at[0]))  # a paraphrase comes after its row and has its number
                return shown if name == split else replace(shown, split=f"{split} (now in {name})")
        for gone in self.data.dropped:
            if gone.split in {split, *carved} and gone.row == number:
                label = gone.values.get(self.label.role, "") if self.label else ""
                words = ", ".join(map(str, label)) if isinstance(label, list) else str(label)
                there = {role: value for role, value in gone.values.items() if value is not None}
                return Row(split, number, words, self._text_of(there))
        return None

    def shown(self, split: str, at: int) -> Row:
        """A row by its position in a split, with its texts or a small copy of its image."""
        row = self.splits[split][at]
        image = thumbnails.small(row[self.image_role]) if self.image_role else None
        label = self.label.type.describe(row[self.label.role], self.names) if self.label else ""
        return Row(split, row[ROW], label, self._text_of(row), image)

    def _text_of(self, row: dict[str, object]) -> str | None:
        texts = [as_text(row[role]) for role in (*self.text_roles, *self.target_text_roles) if role in row]
        return "\n— ".join(texts) if texts else None

    def _column_texts(self, split: str, role: str) -> list[str]:
        def read() -> list[str]:
            rows = self.splits[split].select_columns([role])
            chosen = rows if len(rows) <= MOST_TEXTS else rows.select(self.text_rows(split))
            return [as_text(value) for value in chosen[role][:]]

        return self._once(("texts", split, role), read)

    def _row_numbers(self, split: str) -> np.ndarray:
        return self._once(("numbers", split), lambda: chunks.row_numbers(self.splits[split]))

    def _once(self, key: tuple[str, ...], make: Callable[[], T]) -> T:
        """What `make` returns, made at the first call with this key."""
        if key not in self._made:
            self._made[key] = make()
        value: T = self._made[key]
        return value
