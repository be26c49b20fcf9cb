"""From a dataset's configuration to checked splits. Knows sources and roles, nothing of models or tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from datasets import DatasetDict

from tunebook.config import registry
from tunebook.config.schema import CleaningConfig
from tunebook.data import checks, columns, fingerprint, labels, preflight, splitting
from tunebook.data.cleaning import duplicates, leaks, missing, text, weights
from tunebook.data.cleaning.contents import Contents
from tunebook.data.cleaning.findings import Dropped, Finding, Record, dropped_rows
from tunebook.errors import DataError, Problem


@dataclass(frozen=True)
class PreparedData:
    """Splits that are ready for a task.

    Args:
        splits: train and, where there are, validation and test; each with the role columns in use and `row`.
        label_names: in the order of ids; empty without a label role.
        fingerprints: split to the SHA-256 of its content.
        overlaps: (earlier split, later split) to the number of rows of the later whose inputs stand in both, after
            cleaning.
        licence: as stated, or None.
        source: where the rows came from, in words.
        weights: (training rows,), above 0 with mean 1; None: every row counts 1.
        findings: what cleaning found, in the order in which it looked.
        dropped: the rows that it left out.
    """

    splits: DatasetDict
    label_names: list[str]
    fingerprints: dict[str, str]
    overlaps: dict[tuple[str, str], int]
    licence: str | None
    source: str
    weights: np.ndarray | None = None
    findings: list[Finding] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)


def prepare(
    dataset: Any,
    roles: Mapping[str, bool],
    cleaning: CleaningConfig | None = None,
    label_kind: str = "class",
    label_role: str | None = "label",
    cwd: Path | None = None,
) -> PreparedData:
    """Load, rename, clean, encode, carve, look for leaks.

    Args:
        dataset: the configuration's `dataset` (`DatasetConfig`).
        roles: the task's roles, each with whether it must be there.
        cleaning: the configuration's `cleaning`; None: its defaults.
        label_kind: `class`, `classes` or `number`.
        label_role: which of them is the label; None: none is.
        cwd: where relative paths start; default: the working folder.

    Raises:
        DataError: with every problem of the first step that finds any.
        NothingReached: the Hub is needed and cannot be reached.
    """
    cleaning, record = cleaning or CleaningConfig(), Record()
    task_columns = _task_columns(roles, label_role, label_kind)
    contents = Contents({role for role, column in task_columns.items() if column.target})
    splits, places = _loaded(dataset, roles, cwd)
    given, source_rows = set(splits), len(splits["train"])
    keys = _keys(dataset, roles)

    splits = _settled(splits, dataset, cleaning, task_columns, label_kind, keys, places, record)
    splits = duplicates.apply_policies(splits, cleaning, contents, record)
    _raise_found(splits, record)
    dropped = source_rows - len(splits["train"])
    splits = splitting.carve(splits, dataset.split, label_role, label_kind)
    _raise_any(checks.stated_rows(splits, dataset.rows, dropped, set(splits) - given))
    contents.origins = {name: name if name in given else "train" for name in splits}
    splits = splitting.limit(splits, dataset.max_rows or {}, dataset.split.seed, label_role, label_kind)
    splits = leaks.apply_policies(splits, cleaning, contents, record)
    _raise_found(splits, record)
    splits = _few_shot(splits, dataset, label_role, label_kind, record)
    if label_role and label_kind != "number":
        _raise_any(checks.classes(splits, label_role, record.label_names, keys[label_role], record.dropped_words()))
    source = f"{dataset.source}: {', '.join(dict.fromkeys(places.values()))}"
    return _prepared(splits, dataset.licence, source, keys, contents, record)


def without_rows(
    data: PreparedData, positions: Sequence[int], finding: Finding, reasons: Sequence[str]
) -> PreparedData:
    """The same data with fewer training rows, for what is found once a model has seen them.

    Weights stay with their rows, again with mean 1. Fingerprints are still those of the rows as they were
    prepared, by which a continued run knows its data.

    Args:
        data: as prepared.
        positions: of the rows in the training split that go.
        finding: that they go for; it is added to the others.
        reasons: one for each position, in words, for dropped.jsonl.

    Raises:
        DataError: no training rows are left.
    """
    train = data.splits["train"]
    kept = np.setdiff1d(np.arange(len(train)), np.asarray(positions, dtype=np.int64))
    if not len(kept):
        raise DataError(Problem(f"cleaning.{finding.kind}", f"leaves no training rows: {finding.words}"))
    rows = dropped_rows(train, "train", positions, finding.kind, data.label_names)
    gone = [replace(row, reason=reason) for row, reason in zip(rows, reasons, strict=True)]
    return replace(
        data,
        splits=DatasetDict({**data.splits, "train": train.select(kept)}),
        weights=None if data.weights is None else weights.scaled(data.weights[kept]),
        findings=[*data.findings, finding],
        dropped=[*data.dropped, *gone],
    )


def _loaded(dataset: Any, roles: Mapping[str, bool], cwd: Path | None) -> tuple[DatasetDict, dict[str, str]]:
    """The source's splits, their columns named by roles, and where each split lies, for messages."""
    _raise_any(preflight.problems(dataset, roles, cwd))
    source = registry.load("source", dataset.source)
    splits = source.load(dataset.options, preflight.context(dataset, roles, cwd))
    if "train" not in splits:
        raise DataError(Problem("dataset", f"has no train split; it has: {', '.join(splits)}"))
    places = {name: _place(source, dataset, name) for name in splits}
    return splitting.in_order(columns.rename(splits, dataset.columns, roles, places)), places


def _settled(
    splits: DatasetDict,
    dataset: Any,
    cleaning: CleaningConfig,
    task_columns: Mapping[str, columns.Column],
    label_kind: str,
    keys: Mapping[str, str],
    places: Mapping[str, str],
    record: Record,
) -> DatasetDict:
    """Each row by itself: texts normalised, nothing missing, labels as a model learns them (names in `record`)."""
    splits = text.normalize(splits, cleaning, task_columns)
    splits = missing.apply_policy(splits, task_columns, cleaning.missing, record)
    _raise_any(checks.values(splits, task_columns, keys, places, empty_texts=cleaning.missing != "error"))
    for label_role in (role for role, column in task_columns.items() if column.target):
        stated, separator = dataset.labels, dataset.label_separator
        splits, record.label_names = labels.encode(splits, label_role, label_kind, stated, keys[label_role], separator)
    return splits


def _few_shot(
    splits: DatasetDict, dataset: Any, label_role: str | None, label_kind: str, record: Record
) -> DatasetDict:
    if dataset.per_class is None:
        return splits
    if label_role is None:
        raise DataError(Problem("dataset.per_class", "needs labels, and this task has none"))
    count, seed = dataset.per_class, dataset.split.seed
    try:
        few = splitting.few_shot(splits["train"], count, seed, label_role, label_kind, record.label_names)
    except DataError as error:
        before = record.dropped_words()
        raise DataError([Problem(one.key, one.message + before) for one in error.problems]) from None
    return DatasetDict({**splits, "train": few})


def _prepared(
    splits: DatasetDict,
    licence: str | None,
    source: str,
    keys: Mapping[str, str],
    contents: Contents,
    record: Record,
) -> PreparedData:
    """The splits with what describes them: fingerprints, weights and what cleaning found."""
    digests = {name: contents.digests(name, split) for name, split in splits.items()}
    names = record.label_names
    return PreparedData(
        splits=splits,
        label_names=names,
        fingerprints={name: fingerprint.of(splits[name], digests[name], contents.targets, names) for name in splits},
        overlaps=fingerprint.overlaps(splits, digests),
        licence=licence,
        source=source,
        weights=weights.weights_of(splits["train"], keys.get("weight", "dataset.columns.weight")),
        findings=record.findings,
        dropped=record.dropped,
    )


def _task_columns(roles: Mapping[str, bool], label: str | None, label_kind: str) -> dict[str, columns.Column]:
    """The columns of a task that says roles and a kind of label; goes once tasks say columns."""
    kinds: dict[str, columns.Kind] = {"class": "label", "classes": "labels", "number": "number"}
    return {
        role: columns.Column(
            kinds[label_kind] if role == label else "image" if role == "image" else "text", needed, role == label
        )
        for role, needed in roles.items()
    }


def _raise_found(splits: DatasetDict, record: Record) -> None:
    """Of findings that may not be, and of splits that cleaning has emptied."""
    befores = {name: record.dropped_words(name) for name in splits}
    _raise_any([*checks.nothing_left(splits, befores), *record.problems])


def _place(source: ModuleType, dataset: Any, split: str) -> str:
    return source.place(dataset.options, split) if hasattr(source, "place") else split


def _keys(dataset: Any, roles: Mapping[str, bool]) -> dict[str, str]:
    return {role: columns.key_of(role, column) for role, column in columns.wanted(dataset.columns, roles).items()}


def _raise_any(problems: list[Problem]) -> None:
    if problems:
        raise DataError(problems)
