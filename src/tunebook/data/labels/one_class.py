"""One label a row: text, whole numbers or true/false become a ClassLabel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tunebook.data.labels import naming
from tunebook.data.reading.typed import kind_of
from tunebook.errors import DataError, Problem

if TYPE_CHECKING:
    from datasets import DatasetDict

    from tunebook.data.labels import Stated

FEW = 20
"""Below so many rows each may have a label of its own."""


def encode(splits: DatasetDict, role: str, stated: Stated, key: str) -> tuple[DatasetDict, list[str]]:
    """The splits with `role` as a ClassLabel, and the names in the order of their ids; see `labels.encode`."""
    from datasets import ClassLabel, DatasetDict

    values = {name: list(split[role][:]) for name, split in splits.items()}
    distinct = naming.distinct_of((value for column in values.values() for value in column), key)
    known = carried_names({name: split.features[role] for name, split in splits.items()}, key)
    if known:
        names, ids = naming.names_of_known(known, distinct, stated, key)
    else:
        names, ids = naming.names_of(distinct, stated, key, _where(values))
        _check_repeated(values, names, stated, key)
    naming.check_all_used({ids[value] for value in distinct}, names, stated)
    feature = ClassLabel(names=names)
    encoded = {
        name: split.remove_columns(role).add_column(role, [ids[value] for value in values[name]], feature=feature)
        for name, split in splits.items()
    }
    return DatasetDict(encoded), names


def carried_names(features: Mapping[str, Any], key: str) -> list[str] | None:
    """Names that the column itself carries, where it is a ClassLabel in every split.

    Args:
        features: split to the column's feature.
        key: of the column.

    Raises:
        DataError: the splits carry different ones.
    """
    from datasets import ClassLabel

    carried = {name: tuple(f.names or ()) for name, f in features.items() if isinstance(f, ClassLabel)}
    if not carried:
        return None
    if len(carried) < len(features) or len(set(carried.values())) > 1:
        shown = "; ".join(f"{name}: {', '.join(carried.get(name, ('none',)))}" for name in features)
        raise DataError(Problem(key, f"has other label names in each split: {shown}"))
    return list(next(iter(carried.values())))


def _where(values: Mapping[str, list[Any]]) -> str:
    kinds = {name: sorted({kind_of(value) for value in column}) for name, column in values.items()}
    return ", ".join(f"{' and '.join(kind)} in {name}" for name, kind in kinds.items())


def _check_repeated(values: Mapping[str, list[Any]], names: list[str], stated: Stated, key: str) -> None:
    """Dates, ids and texts give nearly every row a label of its own."""
    rows = len(values.get("train", []))
    if stated is None and rows >= FEW and len(names) > rows / 2:
        message = f"has {len(names)} different labels in {rows} training rows, such as {names[0]!r}"
        raise DataError(Problem(key, f"{message}: is it the right column?"))
