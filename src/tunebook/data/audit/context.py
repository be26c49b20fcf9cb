"""The rows as the checks look at them: texts, labels, words and image thumbnails, each made once for all checks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from datasets import Dataset, Image, List, Value

from tunebook.config.data_groups import AUXILIARY
from tunebook.data.audit import thumbnails
from tunebook.data.audit.check_result import Row
from tunebook.data.audit.facts import AuditFacts
from tunebook.data.augmentation.paraphrase import ORIGIN
from tunebook.data.columns import ROW

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from tunebook.data.prepare import PreparedData

LABEL = "label"
MOST_IMAGES = 2000
# Scripts without blanks between words: each sign counts as a word.
_SIGNS = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
WORD = rf"[{_SIGNS}]|[^\W{_SIGNS}]+"


@dataclass(frozen=True)
class Words:
    """Which words stand in which rows.

    Args:
        names: the words, in lower case, (words,).
        rows: split to 0/1, (rows, words), float32.
    """

    names: np.ndarray
    rows: dict[str, csr_matrix]


class AuditContext:
    """Prepared data, seen by the audit.

    Args:
        data: from `prepare`.
        facts: what the rows do not say.

    Attributes:
        splits: those with rows to look at, train first.
        text_roles: columns that hold texts.
        image_role: the column of images, or None.
    """

    def __init__(self, data: PreparedData, facts: AuditFacts) -> None:
        self.data, self.facts = data, facts
        self.splits: dict[str, Dataset] = {
            name: split for name, split in data.splits.items() if isinstance(split, Dataset) and len(split)
        }
        features = next(iter(self.splits.values())).features if self.splits else {}
        roles = [role for role in features if role not in {ROW, LABEL, ORIGIN, *AUXILIARY}]
        self.text_roles = [role for role in roles if _is_text(features[role])]
        self.image_role = next((role for role in roles if isinstance(features[role], Image)), None)
        self._texts: dict[str, dict[str, list[str]]] = {}
        self._images: dict[str, thumbnails.Thumbnails] = {}

    def columns(self, split: str) -> dict[str, list[str]]:
        """Role to texts; a missing text is an empty one, a list of words is joined by blanks."""
        if split not in self._texts:
            self._texts[split] = {role: _strings(self.plain(split, role)) for role in self.text_roles}
        return self._texts[split]

    def texts(self, split: str) -> list[str]:
        """One text a row; of a pair both, by a blank."""
        columns = list(self.columns(split).values())
        return columns[0] if len(columns) == 1 else [" ".join(parts) for parts in zip(*columns, strict=True)]

    def plain(self, split: str, column: str) -> list[Any]:
        """A column as Python values, without decoding any other."""
        return self.splits[split].select_columns([column]).with_format("arrow")[:].column(column).to_pylist()

    def labels(self, split: str) -> np.ndarray:
        """Class ids (rows,), 0/1 (rows, labels), or numbers (rows,)."""
        return np.asarray(self.plain(split, LABEL))

    def indicators(self, split: str) -> np.ndarray:
        """Which classes a row has, 0/1, float32, (rows, classes); for class labels of either kind."""
        labels = self.labels(split)
        if self.facts.label_kind == "classes":
            return labels.astype(np.float32)
        found = np.zeros((len(labels), len(self.data.label_names)), dtype=np.float32)
        found[np.arange(len(labels)), labels] = 1
        return found

    @property
    def has_classes(self) -> bool:
        """Whether training rows have class labels."""
        train = self.splits.get("train")
        return train is not None and LABEL in train.features and self.facts.label_kind in {"class", "classes"}

    @cached_property
    def words(self) -> Words:
        """Of every split together, counted once."""
        from sklearn.feature_extraction.text import CountVectorizer

        texts = {split: self.texts(split) for split in self.splits}
        vectorizer = CountVectorizer(binary=True, token_pattern=WORD, dtype=np.float32)
        try:
            counts = vectorizer.fit_transform([text for part in texts.values() for text in part])
        except ValueError:  # no row has any word
            from scipy.sparse import csr_matrix

            empty = {name: csr_matrix((len(part), 0), dtype=np.float32) for name, part in texts.items()}
            return Words(np.asarray([], dtype=object), empty)
        ends = np.cumsum([len(part) for part in texts.values()])
        rows = {name: counts[end - len(texts[name]) : end] for name, end in zip(texts, ends, strict=True)}
        return Words(vectorizer.get_feature_names_out(), rows)

    def images(self, split: str) -> thumbnails.Thumbnails:
        """Size, mode and a thumbnail of a split's images; of at most 2,000 of them, drawn by the seed."""
        if split not in self._images:
            at = self.sample(len(self.splits[split]), MOST_IMAGES)
            self._images[split] = thumbnails.of(self.splits[split], str(self.image_role), at, split)
        return self._images[split]

    def sample(self, count: int, most: int) -> np.ndarray:
        """Positions of at most so many rows, drawn by the seed, in order."""
        if count <= most:
            return np.arange(count)
        return np.sort(np.random.default_rng(self.facts.seed).choice(count, most, replace=False))

    def row(self, split: str, number: int) -> Row | None:
        """A row by its number in the source's split, also one that was dropped or carved; None: it is not there."""
        if (at := self._positions.get((split, number))) is not None:
            shown = self.shown(*at)
            return shown if at[0] == split else replace(shown, split=f"{split} (now in {at[0]})")
        names = {split, *(self.facts.carved if split == "train" else ())}
        for gone in self.data.dropped:
            if gone.split in names and gone.row == number:
                texts = [str(gone.values[role]) for role in self.text_roles if gone.values.get(role) is not None]
                return Row(split, number, _words(gone.values.get(LABEL, "")), "\n— ".join(texts) if texts else None)
        return None

    def shown(self, split: str, at: int) -> Row:
        """A row by its position in a split, with its texts or a small copy of its image."""
        row = self.splits[split][at]
        texts = [_joined(row[role]) for role in self.text_roles]
        image = thumbnails.small(row[self.image_role]) if self.image_role else None
        return Row(split, row[ROW], self.label_words(row.get(LABEL)), "\n— ".join(texts) if texts else None, image)

    def label_words(self, label: Any) -> str:
        """A label by name."""
        if label is None:
            return ""
        if self.facts.label_kind == "classes":
            named = [name for name, has in zip(self.data.label_names, label, strict=True) if has]
            return ", ".join(named) or "none"
        return self.data.label_names[label] if self.facts.label_kind == "class" else f"{label:g}"

    @cached_property
    def _positions(self) -> dict[tuple[str, int], tuple[str, int]]:
        found: dict[tuple[str, int], tuple[str, int]] = {}
        # A carved split's rows are named by the training rows that they were; its own name finds them as well.
        for name in self.splits:
            for at, row in enumerate(self.plain(name, ROW)):
                found.setdefault((name, row), (name, at))  # a paraphrase comes after its row and has its number
                if name in self.facts.carved:
                    found["train", row] = (name, at)
        return found


def _is_text(feature: Any) -> bool:
    inner = feature.feature if isinstance(feature, List) else feature
    return isinstance(inner, Value) and inner.dtype in {"string", "large_string"}


def _joined(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else value or ""


def _strings(values: list[Any]) -> list[str]:
    return [_joined(value) for value in values]


def _words(label: Any) -> str:
    return ", ".join(map(str, label)) if isinstance(label, list) else str(label)
