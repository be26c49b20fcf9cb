"""What can be told about the data in a moment, before torch or datasets is imported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunebook.config import registry
from tunebook.data import columns
from tunebook.data.sources.base import LoadContext
from tunebook.errors import Problem


def problems(dataset: Any, roles: Mapping[str, bool], cwd: Path | None = None) -> list[Problem]:
    """Missing files, unknown columns, impossible shares.

    Args:
        dataset: the configuration's `dataset` (`DatasetConfig`).
        roles: the task's roles, each with whether it must be there.
        cwd: where relative paths start; default: the working folder.
    """
    source = registry.load("source", dataset.source)
    found = [*_shares(dataset.split), *columns.shared(dataset.columns, roles)]
    if hasattr(source, "given_splits"):
        found += _both(source.given_splits(dataset.options), dataset.split)
    if hasattr(source, "preflight"):
        found += source.preflight(dataset.options, context(dataset, roles, cwd))
    return list(dict.fromkeys(found))


def context(dataset: Any, roles: Mapping[str, bool], cwd: Path | None = None) -> LoadContext:
    """What the source is told: all roles' columns, and the roles that are required or named in the recipe."""
    needed = tuple(role for role in roles if roles[role] or role in dataset.columns)
    return LoadContext(roles=columns.wanted(dataset.columns, roles), required=needed, cwd=cwd or Path.cwd())


def _shares(split: Any) -> list[Problem]:
    shares = {name: getattr(split, name) for name in ("validation", "test") if getattr(split, name) is not None}
    found = [
        Problem(f"dataset.split.{name}", f"must lie between 0 and 1, as a share of train; it is {share}")
        for name, share in shares.items()
        if not 0 < share < 1
    ]
    if not found and sum(shares.values()) >= 1:
        found = [Problem("dataset.split", f"shares {shares} leave nothing to train on; their sum must be below 1")]
    return found


def _both(given: set[str], split: Any) -> list[Problem]:
    return [
        Problem(f"dataset.split.{name}", f"carves {name} from train, but the source gives it; set one of them to null")
        for name in ("validation", "test")
        if name in given and getattr(split, name) is not None
    ]
