"""Gives label values their names and ids: as the recipe states them, as the column carries them, or as they come.

Knows values only, nothing of splits or rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tunebook.data.labels.base import Stated, Targets
from tunebook.data.reading.typed import kind_of
from tunebook.errors import DataError, Problem, did_you_mean

MOST = 1000
SHOWN = 10
CLASSES = {"text", "whole number", "number", "true/false"}

Names = tuple[list[str], dict[Any, int]]
"""The names in the order of their ids, and each value's id."""


def refuse_separator(separator: str | None) -> None:
    """Raise where a recipe gives one to a task whose rows have one label each."""
    if separator is not None:
        message = "is between the labels of a row; this task gives each row one"
        raise DataError(Problem("dataset.label_separator", message))


def targets_of(names: Sequence[str], stated: Stated, known: Sequence[str] | None) -> Targets:
    """The names with where they come from: the recipe, the column (`known`), or its values."""
    origin = "the values" if known is None else "the column"
    return Targets(tuple(names), origin if stated is None else "dataset.labels")


def carried_names(features: Mapping[str, Any], key: str) -> list[str] | None:
    """Names that the column itself carries, a ClassLabel with the same names in every split; None: it carries none."""
    from datasets import ClassLabel

    carried = {name: tuple(f.names or ()) for name, f in features.items() if isinstance(f, ClassLabel)}
    if not carried:
        return None
    if len(carried) < len(features) or len(set(carried.values())) > 1:
        shown = "; ".join(f"{name}: {', '.join(carried.get(name, ('none',)))}" for name in features)
        raise DataError(Problem(key, f"has other label names in each split: {shown}"))
    return list(next(iter(carried.values())))


def distinct_of(values: Iterable[Any], key: str) -> list[Any]:
    """Every value once, in the order of the data; lists and objects, which name no class, are refused."""
    distinct: dict[Any, None] = {}
    for value in values:
        if isinstance(value, list | dict):
            message = f"holds values of type {kind_of(value)}; a label is text or a whole number"
            raise DataError(Problem(key, f"{message} (and several labels a row need a multi-label task)"))
        distinct.setdefault(value)
    return list(distinct)


def names_of(distinct: list[Any], stated: Stated, key: str, where: str = "") -> Names:
    """Names and ids of distinct values that carry no names themselves.

    Refused are mixed types (`where`: which type each split holds, for the message), fractions, too many values, and
    values that are not stated.
    """
    kinds = {kind_of(value) for value in distinct}
    if others := sorted(kinds - CLASSES):
        raise DataError(Problem(key, f"holds values of type {others[0]}; a label is text or a whole number"))
    if isinstance(stated, Mapping):
        return _of_mapping(distinct, stated, key)
    if kinds <= {"whole number", "number"}:
        return _of_numbers(distinct, stated, key)
    if len(kinds) > 1:
        held = where or " and ".join(sorted(kinds))
        raise DataError(Problem(key, f"must hold one kind of labels; it holds {held}"))
    if kinds == {"true/false"}:
        return _by_position([False, True], stated or ["False", "True"], key)
    return _of_text(distinct, stated, key)


def names_of_known(known: list[str], used: Sequence[int], stated: Stated, key: str) -> Names:
    """Names and ids where the column carries names: as they are, renamed, or in another order.

    `known` are the column's own names by its own ids; `used` the own ids that occur in the data.
    """
    if outside := [value for value in used if not 0 <= value < len(known)]:
        message = f"holds {_listed(outside)}, which is no id of its {len(known)} names: {_listed(known)}"
        raise DataError(Problem(key, message))
    if isinstance(stated, Mapping):
        by_id = {str(value) for value in used} <= set(stated) and not set(known) & set(stated)
        names, ids = _of_mapping([value if by_id else known[value] for value in used], stated, key)
        return names, {value: ids[value if by_id else known[value]] for value in used}
    names = list(stated or known)
    if set(names) == set(known):
        return names, {index: names.index(name) for index, name in enumerate(known)}
    if len(names) != len(known):
        raise DataError(stated_differ(names, known))
    return names, {index: index for index in range(len(known))}


def check_all_used(used: set[int], names: list[str], stated: Stated) -> None:
    """Refuse stated names that no row has."""
    if stated is not None and used != set(range(len(names))):
        raise DataError(stated_differ(names, [name for index, name in enumerate(names) if index in used]))


def stated_differ(stated: Sequence[str], present: Sequence[str]) -> Problem:
    """Names that the recipe states and names in the data are not the same."""
    message = f"states {len(stated)}: {', '.join(stated)}; the data has {len(present)}: {', '.join(present)}"
    return Problem("dataset.labels", message)


def _of_mapping(distinct: list[Any], mapping: Mapping[str, int | str], key: str) -> Names:
    names, ids = _names_of_mapping(mapping)
    words = {value: _word(value, mapping) for value in distinct}
    if unknown := [word for word in words.values() if word not in mapping]:
        message = f"has labels that dataset.labels does not map: {_listed(unknown)}"
        raise DataError(Problem(key, f"{message}; {did_you_mean(unknown[0], mapping)}"))
    return names, {value: ids[word] for value, word in words.items()}


def _word(value: Any, mapping: Mapping[str, Any]) -> str:
    """How a value is written as a key: 1.0 as 1, true as in YAML or as in Python."""
    if isinstance(value, bool):
        return next((key for key in mapping if key.lower() == str(value).lower()), str(value).lower())
    if isinstance(value, float) and value == int(value) and str(value) not in mapping:
        return str(int(value))
    return str(value)


def _names_of_mapping(mapping: Mapping[str, int | str]) -> tuple[list[str], dict[str, int]]:
    """Names in the order of their ids, and each key's id, of a mapping to ids or of one to names."""
    targets = list(mapping.values())
    if len({isinstance(target, str) for target in targets}) > 1:
        raise DataError(Problem("dataset.labels", "maps to ids and to names; take one of them for all"))
    if isinstance(targets[0], str):
        names = [str(name) for name in dict.fromkeys(targets)]
        if len(names) < 2:
            raise DataError(Problem("dataset.labels", f"maps everything to {names[0]!r}; there must be two classes"))
        return names, {key: names.index(str(target)) for key, target in mapping.items()}
    by_id: dict[Any, list[str]] = {}
    for key, target in mapping.items():
        by_id.setdefault(target, []).append(key)
    if several := [keys for keys in by_id.values() if len(keys) > 1]:
        example = ", ".join(f"{key}: NAME" for key in several[0])
        message = f"gives one id to {' and '.join(several[0])}, so the class has no name"
        raise DataError(Problem("dataset.labels", f"{message}; map to names: {{{example}, …}}"))
    if sorted(by_id) != list(range(len(by_id))):
        shown = ", ".join(map(str, sorted(by_id)))
        raise DataError(Problem("dataset.labels", f"must map to the ids 0 to {len(by_id) - 1}, each once; not {shown}"))
    return [by_id[number][0] for number in range(len(by_id))], {key: int(target) for key, target in mapping.items()}


def _of_text(distinct: list[str], stated: Sequence[str] | None, key: str) -> Names:
    _check_alike(distinct, set(stated or ()), key)
    if stated is None:
        names = sorted(distinct)
        _check_count(names, key)
        return names, {name: index for index, name in enumerate(names)}
    if unknown := sorted(set(distinct) - set(stated)):
        message = f"has labels that dataset.labels does not name: {_listed(unknown)}"
        raise DataError(Problem(key, f"{message}; {did_you_mean(unknown[0], stated)}"))
    return list(stated), {name: index for index, name in enumerate(stated)}


def _check_alike(distinct: list[str], stated: set[str], key: str) -> None:
    """Two spellings of one label would be two classes."""
    spellings: dict[str, list[str]] = {}
    for value in distinct:
        spellings.setdefault(" ".join(value.split()).casefold(), []).append(value)
    alike = [sorted(values) for values in spellings.values() if len(values) > 1 and not set(values) <= stated]
    if not alike:
        return
    shown = "; ".join(" and ".join(map(repr, values)) for values in alike[:SHOWN])
    example = ", ".join(f"{value!r}: {alike[0][0].strip()}" for value in alike[0])
    message = f"has labels that differ only in case or blanks: {shown}; clean them, or say which are one class"
    raise DataError(Problem(key, f"{message}: dataset.labels={{{example}, …}}"))


def _of_numbers(distinct: list[int | float], stated: Sequence[str] | None, key: str) -> Names:
    if fractions := sorted(value for value in distinct if value != value // 1):
        message = f"holds numbers such as {fractions[0]}: classification needs classes, text or whole numbers"
        raise DataError(Problem(key, message))
    whole = sorted({int(value) for value in distinct})
    if stated is None or {str(number) for number in whole} == set(stated):
        _check_count(whole, key)
        names = list(stated or map(str, whole))
        return names, {number: names.index(str(number)) for number in whole}
    return _by_position(whole, stated, key)


def _by_position(whole: Sequence[int], stated: Sequence[str], key: str) -> Names:
    if outside := [number for number in whole if not 0 <= number < len(stated)]:
        named = f"dataset.labels names {len(stated)}, for 0 to {len(stated) - 1}: {', '.join(stated)}"
        raise DataError(Problem(key, f"has labels without a name: {_listed(outside)}; {named}"))
    return list(stated), {number: int(number) for number in whole}


def _check_count(distinct: Sequence[Any], key: str) -> None:
    if len(distinct) > MOST:
        message = f"has {len(distinct)} different labels, more than {MOST}: is it the right column?"
        raise DataError(Problem(key, message))


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(map(repr, values[:SHOWN])) + (f", … ({len(values)} in all)" if len(values) > SHOWN else "")
