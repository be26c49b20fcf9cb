"""How a label column is read, stratified by and named. Knows values and splits, nothing of models or tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

Stated = Sequence[str] | Mapping[str, int | str] | None
"""`dataset.labels`: names in the order of their ids, or what is in the data to its id or name, or nothing."""


@dataclass(frozen=True)
class Targets:
    """What there is to predict.

    Args:
        names: of the labels, in the order of their ids; empty where there is no vocabulary.
        origin: where the names come from: `dataset.labels`, `the column` (it carries names) or `the values`; "" for
            none.
    """

    names: tuple[str, ...] = ()
    origin: str = ""


class LabelType(Protocol):
    """One kind of label column: `single_label`, `multi_label`, `regression`, or a task's own.

    Attributes:
        name: of the kind, as losses, sampling methods and metrics say which ones they take.
        words: for messages: `one label a row`.
        has_classes: whether rows can be counted, stratified and sampled by class.
        empty_is_missing: whether a row without a value lacks its label (of several labels, none is a value too).
    """

    name: str
    words: str
    has_classes: bool
    empty_is_missing: bool

    def encode(
        self, splits: DatasetDict, role: str, stated: Stated, key: str, separator: str | None = None
    ) -> tuple[DatasetDict, Targets]:
        """The splits with the column `role` as a model learns it, and what there is to predict.

        Args:
            splits: with the label column and `row`; a label in every row.
            role: the label column.
            stated: names, or a mapping; None: taken from the data.
            key: the configuration key of the column, for messages.
            separator: between the labels of a row where they are one text.

        Raises:
            DataError: the labels are not of this kind, too many, or not the stated ones.
        """

    def strata(self, values: Any) -> np.ndarray | None:
        """What splits are stratified by: (rows,) class ids or (rows, classes) of 0 and 1; None: nothing."""

    def describe(self, value: Any, names: Sequence[str]) -> str:
        """One value in words: the name of a class, names of several, a number."""


def class_counts(strata: np.ndarray, classes: int) -> np.ndarray:
    """Rows of each class, (classes,), int64; `strata` as `LabelType.strata` gives them."""
    return strata.sum(axis=0, dtype=np.int64) if strata.ndim == 2 else np.bincount(strata, minlength=classes)


def class_members(strata: np.ndarray, classes: int) -> np.ndarray:
    """Whether each row has each class, (rows, classes), bool; `strata` as `LabelType.strata` gives them."""
    return strata.astype(bool) if strata.ndim == 2 else np.eye(classes, dtype=bool)[strata]


@dataclass(frozen=True)
class LabelColumn:
    """An encoded label column.

    Args:
        type: how its values are read.
        role: its name.
        names: of its classes, in the order of their ids.
    """

    type: LabelType
    role: str
    names: Sequence[str] = ()

    def values(self, split: Dataset) -> Any:
        """One a row, as encoded: an array of class ids, numbers, or 0 and 1; lists where rows differ in length."""
        values = split[self.role][:]
        ragged = bool(values) and isinstance(values[0], list) and len({len(value) for value in values}) > 1
        return values if ragged else np.asarray(values)

    def strata(self, split: Dataset) -> np.ndarray | None:
        """What the rows of a split are stratified by; see `LabelType.strata`. Reads the column piece by piece."""
        from tunebook.data import chunks

        if not self.type.has_classes:
            return None
        parts: list[Any] = [self.type.strata(values) for _, values in chunks.values(split, self.role)]
        return np.concatenate(parts) if parts else self.type.strata([])
