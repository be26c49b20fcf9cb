"""Which source column has which role: finds, renames, drops. Imports no datasets, so that a check stays quick."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from tunebook.config.data_groups import AUXILIARY
from tunebook.errors import DataError, Problem, did_you_mean

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

    from tunebook.data.labels.base import LabelType

Kind = Literal[
    "text", "tokens", "messages", "image", "label", "labels", "number", "tags", "spans", "boxes", "mask", "audio"
]
"""What a column may hold."""


@dataclass(frozen=True)
class Column:
    """A column that a task reads.

    Args:
        kind: of its values.
        required: whether it must be there.
        target: whether it is what the model is to predict; targets are no part of a row's input.
        may_be_empty: whether a row may lack a text here, as the input of an instruction.
    """

    kind: Kind
    required: bool = True
    target: bool = False
    may_be_empty: bool = False


class TaskColumns(Protocol):
    """The part of a task (`tunebook.tasks.base.Task`) that its rows are prepared by."""

    columns: Mapping[str, Column]
    labels: LabelType | None


ROW = "row"
SHOWN = 30
Sources = Mapping[str, str | list[str]]
"""Role to the source's column, as `dataset.columns` states it; to several where each label has a column of its own."""
Roles = Mapping[str, Column]
"""Role to what its column holds, as `Task.columns` states it."""


def target_roles(roles: Roles) -> set[str]:
    """The roles that hold what the model is to predict, and that rows are not compared by.

    None where a task has no other column, as a chat, whose messages are input and target at once.
    """
    targets = {role for role, column in roles.items() if column.target}
    return targets if len(targets) < len(roles) else set()


def label_role(task: TaskColumns) -> str | None:
    """The role that the task's `LabelType` encodes, its first target; None for a task without labels."""
    return next((role for role, column in task.columns.items() if column.target), None) if task.labels else None


def wanted(columns: Sources, roles: Roles) -> dict[str, str | list[str]]:
    """Role to column: the recipe's, else the role's own name; auxiliary roles where the recipe names them."""
    named = {role: columns[role] for role in AUXILIARY if role in columns and role not in roles}
    return {role: columns.get(role, role) for role in roles} | named


def sources(column: str | list[str]) -> list[str]:
    """The source columns of one role."""
    return [column] if isinstance(column, str) else list(column)


def all_sources(columns: Sources) -> list[str]:
    """The source columns of all roles, each once."""
    return list(dict.fromkeys(name for column in columns.values() for name in sources(column)))


def key_of(role: str, column: str | list[str]) -> str:
    """The configuration key of a role's column with its value, for messages."""
    shown = repr(column) if isinstance(column, str) else f"[{', '.join(column)}]"
    return f"dataset.columns.{role}={shown}"


def shared(columns: Sources, roles: Roles) -> list[Problem]:
    """Roles that would read one and the same column. Auxiliary roles may read another role's."""
    taken: dict[str, str] = {}
    problems = []
    for role, stated in wanted(columns, roles).items():
        if role not in roles:
            continue
        if not isinstance(stated, str) and roles[role].kind not in {"label", "labels"}:
            problems.append(Problem(key_of(role, stated), "takes one column; only labels may take several"))
        for column in sources(stated):
            if column in taken and (role in columns or roles[role].required):
                reason = "is named twice" if taken[column] == role else f"is also the column of {taken[column]}"
                problems.append(Problem(key_of(role, column), f"{reason}; each role needs its own"))
            taken.setdefault(column, role)
    return problems


def absent(sources_of: Sources, needed: Iterable[str], names: list[str], place: str) -> list[Problem]:
    """Columns of the needed roles that a table with these column names lacks; `place` names the table in messages."""
    there = [name if len(name) <= 60 else f"{name[:60]}…" for name in names[:SHOWN]]
    shown = ", ".join(there) + (f", … ({len(names)} in all)" if len(names) > SHOWN else "")
    problems = []
    for role in needed:
        for column in [one for one in sources(sources_of[role]) if one not in names]:
            near = did_you_mean(column, names)
            hint = f"; {near}" if near.startswith("did you mean") else ""
            problems.append(Problem(key_of(role, column), f"no such column in {place}; it has: {shown}{hint}"))
    return problems


def rename(splits: DatasetDict, columns: Sources, roles: Roles, places: Mapping[str, str]) -> DatasetDict:
    """Every split with the role columns in use, the auxiliary ones that are named, and `row`; nothing else.

    Several columns of one role become one column of objects, from each one's name to its value. `places` are the names
    of the splits in messages; a column that is missing in some split is refused.
    """
    from datasets import DatasetDict

    mapping = wanted(columns, roles)
    used = _used(columns, roles, {name for split in splits.values() for name in split.column_names})
    problems = shared(columns, roles)
    selected = {}
    for name, split in splits.items():
        # Only training needs groups, times, weights and paraphrases; other splits may lack them.
        needed = [
            role
            for role in used
            if name == "train" or role in roles or set(sources(mapping[role])) <= set(split.column_names)
        ]
        problems += absent(mapping, needed, split.column_names, places[name])
        selected[name] = {role: mapping[role] for role in needed}
    if problems:
        raise DataError(problems)
    return DatasetDict({name: _only(split, selected[name]) for name, split in splits.items()})


def _used(columns: Sources, roles: Roles, there: set[str]) -> list[str]:
    """Roles that are required or named, and those whose own column is there and not another role's."""
    taken = set(all_sources(columns))
    return [
        role
        for role in wanted(columns, roles)
        if role in columns or roles[role].required or (role in there and role not in taken)
    ]


def _only(split: Dataset, mapping: Sources) -> Dataset:
    first: dict[str, str] = {}
    for role, column in mapping.items():
        if isinstance(column, str):
            first.setdefault(column, role)
    renamed = split.select_columns(list(first))
    # Through names that nothing else has, so that roles may trade columns (text: label, label: text).
    renamed = renamed.rename_columns({column: f"\0{role}" for column, role in first.items()})
    renamed = renamed.rename_columns({f"\0{role}": role for role in first.values()})
    for role, column in mapping.items():
        if role not in first.values():
            renamed = _added(renamed, role, split, column)
    return renamed.add_column(ROW, np.arange(len(renamed)))


def _added(renamed: Dataset, role: str, split: Dataset, column: str | list[str]) -> Dataset:
    """A role of several columns, or one that reads another role's column."""
    if isinstance(column, str):
        return renamed.add_column(role, list(split[column][:]), feature=split.features[column])
    values = zip(*(list(split[name][:]) for name in column), strict=True)
    rows = [dict(zip(column, row, strict=True)) for row in values]
    return renamed.add_column(role, rows, feature={name: split.features[name] for name in column})
