"""The rows as the checks read them: texts, labels, words and image thumbnails, each made once for all checks.

Of a split with more than 50,000 rows the texts of so many are read, chosen by the seed; labels are counted in every
row, chunk by chunk. So memory does not grow with the texts of a large data set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from datasets import Dataset, Image

from tunebook.data.audit import thumbnails
from tunebook.data.audit.check_result import Row
from tunebook.data.audit.facts import AuditFacts
from tunebook.data.columns import ROW
from tunebook.data.kinds import TEXTUAL, as_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scipy.sparse import csr_matrix

    from tunebook.data.prepare import PreparedData

MOST_TEXTS = 50_000
MOST_IMAGES = 2000
CHUNK = 10_000
# Scripts without blanks between words: each sign counts as a word.
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
        columns = {
            role: column
            for role, column in data.columns.items()
            if role in features and not (self.label and role == self.label.role)
        }
        textual = [role for role, column in columns.items() if column.kind in TEXTUAL]
        self.text_roles = [role for role in textual if not columns[role].target]
        self.target_text_roles = [role for role in textual if columns[role].target]
        self.image_role = next((role for role in columns if isinstance(features[role], Image)), None)
        self._texts: dict[tuple[str, str], list[str]] = {}
        self._images: dict[str, thumbnails.Thumbnails] = {}
        self._numbers: dict[str, np.ndarray] = {}
        self._strata: dict[str, np.ndarray] = {}

    @property
    def names(self) -> Sequence[str]:
        """Of the classes, in the order of their ids."""
        return self.data.targets.names

    @property
    def has_classes(self) -> bool:
        """Whether training rows have classes."""
        return "train" in self.splits and self.label is not None and self.label.type.has_classes

    @property
    def has_numbers(self) -> bool:
        """Whether training rows have labels that are numbers."""
        feature = self.splits["train"].features.get(self.label.role) if "train" in self.splits and self.label else None
        return getattr(feature, "dtype", "") == "float64"

    def text_rows(self, split: str) -> np.ndarray:
        """Positions of the rows whose texts are read: all, or 50,000 chosen by the seed."""
        return self.sample(len(self.splits[split]), MOST_TEXTS)

    def sampled_texts(self) -> dict[str, int]:
        """Splits of which not every text is read, with the number of texts that are."""
        counts = {split: len(self.text_rows(split)) for split in self.splits}
        return {split: count for split, count in counts.items() if count < len(self.splits[split])}

    def column_texts(self, split: str, role: str) -> list[str]:
        """The texts of one column at `text_rows`; "" for a missing one, tokens and messages joined."""
        if (split, role) not in self._texts:
            rows = self.splits[split].select_columns([role])
            chosen = rows if len(rows) <= MOST_TEXTS else rows.select(self.text_rows(split))
            self._texts[split, role] = [as_text(value) for value in chosen[role][:]]
        return self._texts[split, role]

    def texts(self, split: str, roles: Sequence[str] | None = None) -> list[str]:
        """One text a row at `text_rows`; of several columns all of them, joined by a blank.

        Args:
            split: name.
            roles: which columns; None: the inputs.
        """
        columns = [self.column_texts(split, role) for role in (self.text_roles if roles is None else roles)]
        return columns[0] if len(columns) == 1 else [" ".join(parts) for parts in zip(*columns, strict=True)]

    def strata(self, split: str) -> np.ndarray:
        """Of every row its class id, (rows,), or 0 and 1 of each class, (rows, classes)."""
        if split not in self._strata:
            self._strata[split] = np.concatenate(list(self._label_chunks(split)))
        return self._strata[split]

    def counts(self, split: str) -> np.ndarray:
        """Rows of each class, (classes,)."""
        strata = self.strata(split)
        if strata.ndim == 2:
            return strata.sum(axis=0, dtype=np.int64)
        return np.bincount(strata, minlength=len(self.names))

    def indicators(self, split: str, at: np.ndarray) -> np.ndarray:
        """Which classes the rows at some positions have, 0/1, float32, (rows, classes)."""
        strata = self.strata(split)[at]
        return strata.astype(np.float32) if strata.ndim == 2 else np.eye(len(self.names), dtype=np.float32)[strata]

    def numbers(self, split: str) -> np.ndarray:
        """Label values that are numbers, (rows,), float64."""
        return np.asarray(self._column(split, self.label.role if self.label else ""), dtype=np.float64)

    @cached_property
    def words(self) -> Words:
        """Of the input texts of every split, counted once."""
        from sklearn.feature_extraction.text import CountVectorizer

        sizes = {split: len(self.text_rows(split)) for split in self.splits}
        vectorizer = CountVectorizer(binary=True, token_pattern=WORD, dtype=np.float32)
        try:
            counts = vectorizer.fit_transform(text for split in self.splits for text in self.texts(split))
        except ValueError:  # no row has any word
            from scipy.sparse import csr_matrix

            empty = {name: csr_matrix((size, 0), dtype=np.float32) for name, size in sizes.items()}
            return Words(np.asarray([], dtype=object), empty)
        ends = np.cumsum(list(sizes.values()))
        rows = {name: counts[end - sizes[name] : end] for name, end in zip(sizes, ends, strict=True)}
        return Words(vectorizer.get_feature_names_out(), rows)

    def images(self, split: str) -> thumbnails.Thumbnails:
        """Size, mode and a thumbnail of a split's images; of at most 2,000 of them, chosen by the seed."""
        if split not in self._images:
            at = self.sample(len(self.splits[split]), MOST_IMAGES)
            self._images[split] = thumbnails.of(self.splits[split], str(self.image_role), at, split)
        return self._images[split]

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
                values = [gone.values.get(role) for role in (*self.text_roles, *self.target_text_roles)]
                texts = [as_text(value) for value in values if value is not None]
                label = gone.values.get(self.label.role, "") if self.label else ""
                words = ", ".join(map(str, label)) if isinstance(label, list) else str(label)
                return Row(split, number, words, "\n— ".join(texts) if texts else None)
        return None

    def shown(self, split: str, at: int) -> Row:
        """A row by its position in a split, with its texts or a small copy of its image."""
        row = self.splits[split][at]
        texts = [as_text(row[role]) for role in (*self.text_roles, *self.target_text_roles)]
        image = thumbnails.small(row[self.image_role]) if self.image_role else None
        label = self.label.type.describe(row[self.label.role], self.names) if self.label else ""
        return Row(split, row[ROW], label, "\n— ".join(texts) if texts else None, image)

    def _column(self, split: str, role: str) -> np.ndarray:
        """A plain column as an array, without a Python value for each row."""
        return self.splits[split].select_columns([role]).with_format("numpy")[:][role]

    def _row_numbers(self, split: str) -> np.ndarray:
        if split not in self._numbers:
            self._numbers[split] = self._column(split, ROW)
        return self._numbers[split]

    def _label_chunks(self, split: str) -> Iterator[np.ndarray]:
        if self.label is None:
            raise TypeError("there are no labels")
        rows = self.splits[split].select_columns([self.label.role])
        for start in range(0, len(rows), CHUNK):
            strata = self.label.type.strata(rows[start : start + CHUNK][self.label.role])
            if strata is None:
                raise TypeError("the labels have no classes")
            yield strata
