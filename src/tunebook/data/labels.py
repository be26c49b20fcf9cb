"""Turns a label column of text, numbers or true/false into class ids with names. Knows no task and no source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tunebook.data.reading.typed import kind_of
from tunebook.errors import DataError, Problem, did_you_mean

if TYPE_CHECKING:
    from datasets import DatasetDict

MOST = 1000
SHOWN = 10


def encode(splits: DatasetDict, role: str, stated: Sequence[str] | None, key: str) -> tuple[DatasetDict, list[str]]:
    """The splits with `role` as a ClassLabel, and the names in the order of their ids.

    Args:
        splits: with a label in every row.
        role: the label column.
        stated: names in the order of ids; None: taken from the data.
        key: the configuration key of the column, for messages.

    Raises:
        DataError: the labels are no classes, too many, or not the stated ones.
    """
    from datasets import ClassLabel, DatasetDict

    values = {name: list(split[role]) for name, split in splits.items()}
    known = _known_names(splits, role, key)
    kinds = _kinds(values, key)
    distinct = list(dict.fromkeys(value for column in values.values() for value in column))
    names, ids = _of_known(known, stated, key) if known else _of_values(kinds, distinct, stated, key)
    _check_all_used([ids[value] for value in distinct], names, stated)
    feature = ClassLabel(names=names)
    encoded = {
        name: split.remove_columns(role).add_column(role, [ids[value] for value in values[name]], feature=feature)
        for name, split in splits.items()
    }
    return DatasetDict(encoded), names


Classes = tuple[list[str], dict[Any, int]]


def _known_names(splits: DatasetDict, role: str, key: str) -> list[str] | None:
    """Names that the column itself carries, where it is a ClassLabel in every split."""
    from datasets import ClassLabel

    features = {name: split.features[role] for name, split in splits.items()}
    carried = {name: tuple(f.names) for name, f in features.items() if isinstance(f, ClassLabel)}
    if not carried:
        return None
    if len(carried) < len(features) or len(set(carried.values())) > 1:
        shown = "; ".join(f"{name}: {', '.join(carried.get(name, ('none',)))}" for name in features)
        raise DataError(Problem(key, f"has other label names in each split: {shown}"))
    return list(next(iter(carried.values())))


def _kinds(values: Mapping[str, list[Any]], key: str) -> dict[str, set[str]]:
    """The kinds of values in each split, which must be such as name a class."""
    kinds = {name: {kind_of(value) for value in column} for name, column in values.items()}
    others = sorted(set().union(*kinds.values()) - {"text", "whole number", "number", "true/false"})
    if others:
        raise DataError(Problem(key, f"holds values of type {others[0]}; a label is text or a whole number"))
    return kinds


def _of_known(known: list[str], stated: Sequence[str] | None, key: str) -> Classes:
    if stated is None or list(stated) == known:
        return known, {index: index for index in range(len(known))}
    if set(stated) == set(known):
        return list(stated), {index: list(stated).index(name) for index, name in enumerate(known)}
    if len(stated) != len(known):
        raise DataError(_stated_differ(stated, known))
    return list(stated), {index: index for index in range(len(known))}


def _of_values(kinds: Mapping[str, set[str]], distinct: list[Any], stated: Sequence[str] | None, key: str) -> Classes:
    found = set().union(*kinds.values())
    if found <= {"whole number", "number"}:
        return _of_numbers(distinct, stated, key)
    if len(found) > 1:
        shown = ", ".join(f"{' and '.join(sorted(kind))} in {name}" for name, kind in kinds.items())
        raise DataError(Problem(key, f"must hold one kind of labels; it holds {shown}"))
    if found == {"true/false"}:
        return _by_position([False, True], stated or ["False", "True"], key)
    return _of_text(distinct, stated, key)


def _of_text(distinct: list[str], stated: Sequence[str] | None, key: str) -> Classes:
    padded = sorted(value for value in distinct if value != value.strip() and value.strip() in distinct)
    if padded:
        message = f"has labels that differ only in blanks: {_shown(padded)}; clean them"
        raise DataError(Problem(key, message))
    if stated is None:
        names = sorted(distinct)
        _check_count(names, key)
        return names, {name: index for index, name in enumerate(names)}
    unknown = sorted(set(distinct) - set(stated))
    if unknown:
        message = f"has labels that dataset.labels does not name: {_shown(unknown)}"
        raise DataError(Problem(key, f"{message}; {did_you_mean(unknown[0], stated)}"))
    return list(stated), {name: index for index, name in enumerate(stated)}


def _of_numbers(distinct: list[int | float], stated: Sequence[str] | None, key: str) -> Classes:
    fractions = sorted(value for value in distinct if value != int(value))
    if fractions:
        message = f"holds numbers such as {fractions[0]}: classification needs classes, text or whole numbers"
        raise DataError(Problem(key, message))
    whole = sorted({int(value) for value in distinct})
    if stated is None or {str(number) for number in whole} == set(stated):
        _check_count(whole, key)
        names = list(stated or map(str, whole))
        return names, {number: names.index(str(number)) for number in whole}
    return _by_position(whole, stated, key)


def _by_position(whole: Sequence[int], stated: Sequence[str], key: str) -> Classes:
    outside = [number for number in whole if not 0 <= number < len(stated)]
    if outside:
        message = (
            f"has labels without a name: {_shown(outside)}; dataset.labels names {len(stated)}, "
            f"for 0 to {len(stated) - 1}: {', '.join(stated)}"
        )
        raise DataError(Problem(key, message))
    return list(stated), {number: int(number) for number in whole}


def _check_count(distinct: Sequence[Any], key: str) -> None:
    if len(distinct) > MOST:
        message = f"has {len(distinct)} different labels, more than {MOST}: is it the right column?"
        raise DataError(Problem(key, message))


def _check_all_used(used: Sequence[int], names: list[str], stated: Sequence[str] | None) -> None:
    if stated is not None and set(used) != set(range(len(names))):
        raise DataError(_stated_differ(stated, [name for index, name in enumerate(names) if index in set(used)]))


def _stated_differ(stated: Sequence[str], found: Sequence[str]) -> Problem:
    message = f"states {len(stated)}: {', '.join(stated)}; the data has {len(found)}: {', '.join(found)}"
    return Problem("dataset.labels", message)


def _shown(values: Sequence[Any]) -> str:
    return ", ".join(map(repr, values[:SHOWN])) + (f", … ({len(values)} in all)" if len(values) > SHOWN else "")
