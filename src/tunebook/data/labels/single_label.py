"""One label a row: text, whole numbers or true/false become a ClassLabel. Knows values and splits, no task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tunebook.data.labels import naming
from tunebook.data.labels.base import Stated, Targets
from tunebook.data.reading.typed import kind_of
from tunebook.errors import DataError, Problem

if TYPE_CHECKING:
    from datasets import DatasetDict

FEW = 20
"""Below so many rows each may have a label of its own."""


class SingleLabel:
    """Each row has one class; see `tunebook.data.labels.base.LabelType`."""

    name = "single_label"
    words = "one label a row"
    has_classes = True
    empty_is_missing = True

    def encode(
        self, splits: DatasetDict, role: str, stated: Stated, key: str, separator: str | None = None
    ) -> tuple[DatasetDict, Targets]:
        """The splits with `role` as a ClassLabel, and its names."""
        from datasets import ClassLabel, DatasetDict

        naming.refuse_separator(separator)
        values = {name: list(split[role][:]) for name, split in splits.items()}
        distinct = naming.distinct_of((value for column in values.values() for value in column), key)
        known = naming.carried_names({name: split.features[role] for name, split in splits.items()}, key)
        if known:
            names, ids = naming.names_of_known(known, distinct, stated, key)
        else:
            names, ids = naming.names_of(distinct, stated, key, _types(values))
            _check_repeated(values["train"], names, stated, key)
        naming.check_all_used({ids[value] for value in distinct}, names, stated)
        feature = ClassLabel(names=names)
        encoded = {
            name: split.remove_columns(role).add_column(role, [ids[value] for value in values[name]], feature=feature)
            for name, split in splits.items()
        }
        return DatasetDict(encoded), naming.targets_of(names, stated, known)

    def strata(self, values: Any) -> np.ndarray:
        """The class ids, (rows,)."""
        return np.asarray(values, dtype=np.int64)

    def describe(self, value: Any, names: Sequence[str]) -> str:
        """The name of the class."""
        return names[int(value)]


def _types(values: Mapping[str, list[Any]]) -> str:
    """Which types of values each split holds, for the message on mixed ones."""
    kinds = {name: sorted({kind_of(value) for value in column}) for name, column in values.items()}
    return ", ".join(f"{' and '.join(kind)} in {name}" for name, kind in kinds.items())


def _check_repeated(values: list[Any], names: list[str], stated: Stated, key: str) -> None:
    """Dates, ids and texts give nearly every row a label of its own."""
    if stated is None and len(values) >= FEW and len(names) > len(values) / 2:
        message = f"has {len(names)} different labels in {len(values)} training rows, such as {names[0]!r}"
        raise DataError(Problem(key, f"{message}: is it the right column?"))
