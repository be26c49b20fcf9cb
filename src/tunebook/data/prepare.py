"""From a dataset's configuration to checked splits. Knows sources and roles, nothing of models or tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from datasets import DatasetDict

from tunebook.config import registry
from tunebook.config.schema import CleaningConfig
from tunebook.data import checks, columns, fingerprint, labels, preflight, splitting
from tunebook.errors import DataError, Problem


@dataclass(frozen=True)
class PreparedData:
    """Splits that are ready for a task.

    Args:
        splits: train and, where there are, validation and test; each with the role columns in use and `row`.
        label_names: in the order of ids; empty without a label role.
        fingerprints: split to the SHA-256 of its content.
        overlaps: (earlier split, later split) to the number of rows of the later whose inputs stand in both.
        licence: as stated, or None.
        source: where the rows came from, in words.
        weights: (training rows,), above 0 with mean 1; None: every row counts 1.
    """

    splits: DatasetDict
    label_names: list[str]
    fingerprints: dict[str, str]
    overlaps: dict[tuple[str, str], int]
    licence: str | None
    source: str
    weights: np.ndarray | None = None


def prepare(
    dataset: Any,
    roles: Mapping[str, bool],
    cleaning: CleaningConfig | None = None,
    label_kind: str = "class",
    label_role: str | None = "label",
    cwd: Path | None = None,
) -> PreparedData:
    """Load, rename, check, encode, carve, audit.

    Args:
        dataset: the configuration's `dataset` (`DatasetConfig`).
        roles: the task's roles, each with whether it must be there.
        cleaning: the configuration's `cleaning`; None: its defaults.
        label_kind: `class`, `classes` or `number`.
        label_role: which of them is the class label; None: none is.
        cwd: where relative paths start; default: the working folder.

    Raises:
        DataError: with every problem of the first step that finds any.
        NothingReached: the Hub is needed and cannot be reached.
    """
    _raise_any(preflight.problems(dataset, roles, cwd))
    source = registry.load("source", dataset.source)
    splits = source.load(dataset.options, preflight.context(dataset, roles, cwd))
    if "train" not in splits:
        raise DataError(Problem("dataset", f"has no train split; it has: {', '.join(splits)}"))

    places = {name: _place(source, dataset, name) for name in splits}
    keys = _keys(dataset, roles)
    splits = splitting.in_order(columns.rename(splits, dataset.columns, roles, places))
    _raise_any(checks.values(splits, label_role, keys, places))

    names: list[str] = []
    if label_role:
        splits, names = labels.encode(splits, label_role, dataset.labels, keys[label_role])
    shares = {"validation": dataset.split.validation, "test": dataset.split.test}
    splits = splitting.carve(splits, shares, dataset.split.seed, label_role)
    _raise_any(checks.stated_rows(splits, dataset.rows))
    splits = splitting.limit(splits, dataset.max_rows or {}, dataset.split.seed)
    if label_role:
        _raise_any(checks.classes(splits, label_role, names, keys[label_role]))
    return _audited(dataset, splits, names, label_role, places)


def _audited(
    dataset: Any, splits: DatasetDict, names: list[str], label_role: str | None, places: Mapping[str, str]
) -> PreparedData:
    digests = {name: fingerprint.inputs(split, label_role) for name, split in splits.items()}
    return PreparedData(
        splits=splits,
        label_names=names,
        fingerprints={name: fingerprint.of(splits[name], digests[name], label_role) for name in splits},
        overlaps=fingerprint.overlaps(splits, digests),
        licence=dataset.licence,
        source=f"{dataset.source}: {', '.join(dict.fromkeys(places.values()))}",
    )


def _place(source: ModuleType, dataset: Any, split: str) -> str:
    return source.place(dataset.options, split) if hasattr(source, "place") else split


def _keys(dataset: Any, roles: Mapping[str, bool]) -> dict[str, str]:
    return {role: f"dataset.columns.{role}={name!r}" for role, name in columns.wanted(dataset.columns, roles).items()}


def _raise_any(problems: list[Problem]) -> None:
    if problems:
        raise DataError(problems)
