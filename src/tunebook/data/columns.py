"""Which source column plays which role: finds, renames, drops. Imports no datasets, so that a check stays quick."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tunebook.errors import DataError, Problem, did_you_mean

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

ROW = "row"


def wanted(columns: Mapping[str, str], roles: Mapping[str, bool]) -> dict[str, str]:
    """Role to column: what the recipe says, else the role's own name."""
    return {role: columns.get(role, role) for role in roles}


def shared(columns: Mapping[str, str], roles: Mapping[str, bool]) -> list[Problem]:
    """Roles that would be played by one and the same column."""
    taken: dict[str, str] = {}
    problems = []
    for role, column in wanted(columns, roles).items():
        if column in taken and (role in columns or roles[role]):
            message = f"is also the column of {taken[column]}; each role needs its own"
            problems.append(Problem(f"dataset.columns.{role}={column!r}", message))
        taken.setdefault(column, role)
    return problems


def absent(roles: Mapping[str, str], needed: Iterable[str], names: list[str], place: str) -> list[Problem]:
    """Needed columns that a table lacks.

    Args:
        roles: role to column.
        needed: the roles to look for.
        names: the columns that there are.
        place: the table's name in the message.
    """
    problems = []
    for role in needed:
        column = roles[role]
        if column in names:
            continue
        message = f"no such column in {place}; it has: {', '.join(names)}"
        near = did_you_mean(column, names)
        if near.startswith("did you mean"):
            message += f"; {near}"
        problems.append(Problem(f"dataset.columns.{role}={column!r}", message))
    return problems


def rename(
    splits: DatasetDict, columns: Mapping[str, str], roles: Mapping[str, bool], places: Mapping[str, str]
) -> DatasetDict:
    """Every split with the role columns in use and `row`, nothing else.

    Args:
        splits: as the source gave them.
        columns: role to column, as the recipe says.
        roles: role to whether it is required.
        places: split to its name in messages.

    Raises:
        DataError: a column is missing in some split.
    """
    from datasets import DatasetDict

    mapping = wanted(columns, roles)
    used = _used(columns, roles, {name for split in splits.values() for name in split.column_names})
    problems = shared(columns, roles)
    for name, split in splits.items():
        problems += absent(mapping, used, split.column_names, places[name])
    if problems:
        raise DataError(problems)
    return DatasetDict({name: _only(split, {role: mapping[role] for role in used}) for name, split in splits.items()})


def _used(columns: Mapping[str, str], roles: Mapping[str, bool], there: set[str]) -> list[str]:
    """Roles that are required or named, and those whose own column is there and not another role's."""
    taken = set(columns.values())
    return [role for role in roles if roles[role] or role in columns or (role in there and role not in taken)]


def _only(split: Dataset, mapping: Mapping[str, str]) -> Dataset:
    kept = split.select_columns(list(mapping.values()))
    # Through names that nothing else has, so that roles may trade columns (text: label, label: text).
    kept = kept.rename_columns({column: f"\0{role}" for role, column in mapping.items()})
    kept = kept.rename_columns({f"\0{role}": role for role in mapping})
    return kept.add_column(ROW, list(range(len(kept))))
