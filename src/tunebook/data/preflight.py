"""What can be checked of the data in a moment, before torch or datasets is imported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunebook.config import registry
from tunebook.config.schema import Config
from tunebook.data import columns
from tunebook.data.columns import Roles
from tunebook.data.sources.base import LoadContext
from tunebook.errors import Problem


def problems(dataset: Any, roles: Roles, cwd: Path | None = None) -> list[Problem]:
    """Missing files, unknown columns, impossible shares; relative paths start in `cwd`, default the working folder."""
    source = registry.load("source", dataset.source)
    problems = [
        *_shares(dataset.split),
        *_folds(dataset.split),
        *_method(dataset.split, dataset.columns),
        *columns.shared(dataset.columns, roles),
    ]
    if hasattr(source, "given_splits"):
        problems += _both(source.given_splits(dataset.options), dataset.split)
    if hasattr(source, "preflight"):
        problems += source.preflight(dataset.options, context(dataset, roles, cwd))
    return list(dict.fromkeys(problems))


def context(dataset: Any, roles: Roles, cwd: Path | None = None) -> LoadContext:
    """What the source gets with its options: all roles' columns, and the roles that are required or named.

    Auxiliary roles need to be in train alone, so a source must not ask for them in every split; `columns.rename` does.
    """
    wanted = columns.wanted(dataset.columns, roles)
    needed = tuple(role for role in roles if role in dataset.columns or roles[role].required)
    return LoadContext(roles=wanted, required=needed, cwd=cwd or Path.cwd())


def _shares(split: Any) -> list[Problem]:
    shares = {name: getattr(split, name) for name in ("validation", "test") if getattr(split, name) is not None}
    problems = [
        Problem(f"dataset.split.{name}", f"must be between 0 and 1, as a share of train; it is {share}")
        for name, share in shares.items()
        if not 0 < share < 1
    ]
    if not problems and sum(shares.values()) >= 1:
        problems = [Problem("dataset.split", f"shares {shares} leave nothing to train on; their sum must be below 1")]
    return problems


def _folds(split: Any) -> list[Problem]:
    if split.k_fold is None:
        message = "names one of the dataset.split.k_fold parts, and there is no k_fold"
        return [Problem("dataset.split.fold", message)] if split.fold else []
    problems = []
    if split.fold >= split.k_fold:
        message = f"must be 0 to {split.k_fold - 1}: there are k_fold={split.k_fold} parts, counted from 0"
        problems.append(Problem("dataset.split.fold", message))
    if split.validation is not None:
        message = "makes validation one of the parts, and split.validation a share; set one of them to null"
        problems.append(Problem("dataset.split.k_fold", message))
    if split.method == "time":
        message = "cannot go with method=time, which would train on what came later; use split.validation"
        problems.append(Problem("dataset.split.k_fold", message))
    return problems


def _method(split: Any, named: Mapping[str, Any]) -> list[Problem]:
    key = "dataset.split.method"
    if split.method == "auto" and {"group", "time"} <= set(named) and _carves(split):
        message = "must be grouped or time, since dataset.columns names both a group and a time"
        return [Problem(key, message)]
    if split.method == "auto" and "time" in named and split.k_fold:
        return [Problem(key, "would be time, which cannot go with k_fold; set it to random, stratified or grouped")]
    role = {"grouped": "group", "time": "time"}.get(split.method)
    if role and role not in named:
        return [Problem(key, f"{split.method} needs dataset.columns.{role}, the column of each row's {role}")]
    return []


def _carves(split: Any) -> bool:
    return split.k_fold is not None or split.validation is not None or split.test is not None


def _both(given: set[str], split: Any) -> list[Problem]:
    keys = [("validation", "validation"), ("test", "test"), ("k_fold", "validation")]
    return [
        Problem(f"dataset.split.{key}", f"carves {name} from train, but the source gives it; set one of them to null")
        for key, name in keys
        if name in given and getattr(split, key) is not None
    ]


def notices(config: Config) -> list[str]:
    """Columns that are named and not used, as sentences for the log."""
    named, split = config.dataset.columns, config.dataset.split
    carves = _carves(split)
    sentences = []
    for role, method, what in (
        ("group", "grouped", "rows of one group may be in two splits"),
        ("time", "time", "training may hold later rows than validation and test"),
    ):
        if role in named and not (carves and split.method in {"auto", method}):
            why = f"dataset.split.method is {split.method}" if carves else "no split is carved"
            sentences.append(f"dataset.columns.{role} is not used, as {why}: {what}")
    if "paraphrase" in named and config.augmentation.method != "paraphrase":
        sentences.append("dataset.columns.paraphrase is not used: augmentation=paraphrase adds what is in it")
    return sentences
