"""From a dataset's configuration to checked splits. Knows sources, roles and label types, nothing of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from datasets import DatasetDict

from tunebook.config import registry
from tunebook.config.schema import CleaningConfig, Config
from tunebook.data import checks, columns, fingerprint, preflight, splitting
from tunebook.data.cleaning import duplicates, leaks, missing, text, weights
from tunebook.data.cleaning.contents import Contents
from tunebook.data.cleaning.findings import Dropped, Finding, Record, dropped_rows
from tunebook.data.columns import Column, TaskColumns
from tunebook.data.labels.base import LabelColumn, Targets
from tunebook.data.sampling.base import TrainTargets
from tunebook.errors import DataError, Problem


@dataclass(frozen=True)
class PreparedData:
    """Splits that are ready for a task.

    Args:
        splits: train and, where there are, validation and test; each with the role columns in use and `row`.
        targets: what there is to predict; no names without a vocabulary of labels.
        fingerprints: split to the SHA-256 of its content.
        overlaps: (earlier split, later split) to the number of rows of the later whose inputs are in both, after
            cleaning.
        licence: as stated, or None.
        source: where the rows came from, in words.
        columns: of the task: role to what its column holds.
        label: the encoded label column; None: the task has no labels.
        weights: (training rows,), above 0 with mean 1; None: every row counts 1.
        findings: of cleaning, in the order of its steps.
        dropped: the rows that it left out.
    """

    splits: DatasetDict
    targets: Targets
    fingerprints: dict[str, str]
    overlaps: dict[tuple[str, str], int]
    licence: str | None
    source: str
    columns: Mapping[str, Column] = field(default_factory=dict)
    label: LabelColumn | None = None
    weights: np.ndarray | None = None
    findings: list[Finding] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)

    @property
    def label_names(self) -> list[str]:
        """Of the targets, in the order of their ids; empty where there is no vocabulary."""
        return list(self.targets.names)

    def train_targets(self) -> TrainTargets:
        """The targets of the training rows, for losses and sampling methods."""
        if self.label is None:
            return TrainTargets(None, (), range(len(self.splits["train"])))
        return TrainTargets(self.label.type, self.targets.names, self.label.values(self.splits["train"]))


def prepare(
    dataset: Any, task: TaskColumns, cleaning: CleaningConfig | None = None, cwd: Path | None = None
) -> PreparedData:
    """Load, rename, clean, encode labels, carve, look for leaks.

    Args:
        dataset: the configuration's `dataset` (`DatasetConfig`).
        task: its columns and labels.
        cleaning: the configuration's `cleaning`; None: its defaults.
        cwd: where relative paths start; default: the working folder.

    Raises:
        DataError: with every problem of the first step that has any.
        NothingReached: the Hub is needed and cannot be reached.
    """
    cleaning, record = cleaning or CleaningConfig(), Record()
    contents = Contents(columns.target_roles(task.columns))
    splits, places = _loaded(dataset, task, cwd)
    given, source_rows = set(splits), len(splits["train"])
    keys = _keys(dataset, task)

    splits = _checked(splits, task, cleaning, keys, places, record)
    splits, targets, label = _encoded(splits, dataset, task, keys)
    # Of classes only: other label types encode their names into values in their own way.
    record.label_names = names = list(targets.names) if label and label.type.has_classes else []
    splits = duplicates.apply_policies(splits, cleaning, contents, record)
    _raise_findings(splits, record)
    dropped = source_rows - len(splits["train"])
    splits = splitting.carve(splits, dataset.split, label)
    _raise_any(checks.stated_rows(splits, dataset.rows, dropped, set(splits) - given))
    contents.origins = {name: name if name in given else "train" for name in splits}
    splits = splitting.limit(splits, dataset.max_rows or {}, dataset.split.seed, label)
    splits = leaks.apply_policies(splits, cleaning, contents, record)
    _raise_findings(splits, record)
    splits = _few_shot(splits, dataset, label, record)
    if label and label.type.has_classes:
        _raise_any(checks.classes(splits, label.role, names, keys[label.role], record.dropped_words()))
    digests = {name: contents.digests(name, split) for name, split in splits.items()}
    return PreparedData(
        splits=splits,
        targets=targets,
        fingerprints={name: fingerprint.of(splits[name], digests[name], contents.targets, names) for name in splits},
        overlaps=fingerprint.overlaps(splits, digests),
        licence=dataset.licence,
        source=f"{dataset.source}: {', '.join(dict.fromkeys(places.values()))}",
        columns=task.columns,
        label=label,
        weights=weights.weights_of(splits["train"], keys.get("weight", "dataset.columns.weight")),
        findings=record.findings,
        dropped=record.dropped,
    )


def rows_of(config: Config, task: TaskColumns, cwd: Path | None = None) -> PreparedData:
    """As `prepare`, of a whole recipe: with the rows that its augmentation adds."""
    data = prepare(config.dataset, task, config.cleaning, cwd)
    method = registry.load("augmentation", config.augmentation.method)
    if hasattr(method, "add_rows"):
        return method.add_rows(data, config.augmentation.options, config.cleaning)
    return data


def without_rows(
    data: PreparedData, positions: Sequence[int], finding: Finding, reasons: Sequence[str]
) -> PreparedData:
    """The same data without the training rows at some positions, for what is known only once a model has seen them.

    Weights stay with their rows, again with mean 1. Fingerprints are still those of the rows as they were prepared, by
    which a continued run recognizes its data. The finding is added to the others; the reasons, one for each position,
    go to dropped.jsonl. Where no training rows are left it raises DataError.
    """
    train = data.splits["train"]
    left = np.setdiff1d(np.arange(len(train)), np.asarray(positions, dtype=np.int64))
    if not len(left):
        raise DataError(Problem(f"cleaning.{finding.kind}", f"leaves no training rows: {finding.words}"))
    rows = dropped_rows(train, "train", positions, finding.kind, data.label_names)
    dropped = [replace(row, reason=reason) for row, reason in zip(rows, reasons, strict=True)]
    return replace(
        data,
        splits=DatasetDict({**data.splits, "train": train.select(left)}),
        weights=None if data.weights is None else weights.scaled(data.weights[left]),
        findings=[*data.findings, finding],
        dropped=[*data.dropped, *dropped],
    )


def _loaded(dataset: Any, task: TaskColumns, cwd: Path | None) -> tuple[DatasetDict, dict[str, str]]:
    """The source's splits, their columns named by roles, and the name of each split in messages."""
    _raise_any(preflight.problems(dataset, task.columns, cwd))
    source = registry.load("source", dataset.source)
    splits = source.load(dataset.options, preflight.context(dataset, task.columns, cwd))
    if "train" not in splits:
        raise DataError(Problem("dataset", f"has no train split; it has: {', '.join(splits)}"))
    places = {name: _place(source, dataset, name) for name in splits}
    return splitting.in_order(columns.rename(splits, dataset.columns, task.columns, places)), places


def _checked(
    splits: DatasetDict,
    task: TaskColumns,
    cleaning: CleaningConfig,
    keys: Mapping[str, str],
    places: Mapping[str, str],
    record: Record,
) -> DatasetDict:
    """Each row by itself: texts in one form, nothing missing, every value of its column's kind."""
    splits = text.normalize(splits, cleaning, task.columns)
    splits = missing.apply_policy(splits, task.columns, cleaning.missing, record)
    empty = cleaning.missing != "error"
    _raise_any(checks.values(splits, task.columns, keys, places, empty, columns.label_role(task)))
    return splits


def _encoded(
    splits: DatasetDict, dataset: Any, task: TaskColumns, keys: Mapping[str, str]
) -> tuple[DatasetDict, Targets, LabelColumn | None]:
    """The splits with labels as a model learns them."""
    role = columns.label_role(task)
    if task.labels is None or role is None:
        for key in ("labels", "label_separator"):
            if getattr(dataset, key) is not None:
                raise DataError(Problem(f"dataset.{key}", "is for labels, and this task has none; take it out"))
        return splits, Targets(), None
    splits, targets = task.labels.encode(splits, role, dataset.labels, keys[role], dataset.label_separator)
    return splits, targets, LabelColumn(task.labels, role, targets.names)


def _few_shot(splits: DatasetDict, dataset: Any, label: LabelColumn | None, record: Record) -> DatasetDict:
    if dataset.per_class is None:
        return splits
    try:
        few = splitting.few_shot(splits["train"], dataset.per_class, dataset.split.seed, label)
    except DataError as error:
        before = record.dropped_words()
        raise DataError([Problem(one.key, one.message + before) for one in error.problems]) from None
    return DatasetDict({**splits, "train": few})


def _raise_findings(splits: DatasetDict, record: Record) -> None:
    """Of findings that may not be, and of splits that cleaning has emptied."""
    befores = {name: record.dropped_words(name) for name in splits}
    _raise_any([*checks.nothing_left(splits, befores), *record.problems])


def _place(source: ModuleType, dataset: Any, split: str) -> str:
    return source.place(dataset.options, split) if hasattr(source, "place") else split


def _keys(dataset: Any, task: TaskColumns) -> dict[str, str]:
    named = columns.wanted(dataset.columns, task.columns)
    return {role: columns.key_of(role, column) for role, column in named.items()}


def _raise_any(problems: list[Problem]) -> None:
    if problems:
        raise DataError(problems)
