"""From a configuration with `dataset.streaming` to a stream of training rows and whole, checked other splits."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook.config.data_groups import AUXILIARY
from tunebook.config.schema import CleaningConfig
from tunebook.data import checks, columns, fingerprint, preflight, splitting
from tunebook.data.columns import ROW
from tunebook.data.streaming.from_files import FilesReader
from tunebook.data.streaming.from_hub import HubReader
from tunebook.data.streaming.label_codes import LabelCodes
from tunebook.data.streaming.reader import Reader
from tunebook.data.streaming.row_work import Left, RowWork
from tunebook.data.streaming.stream import Stream
from tunebook.errors import ConfigurationError, DataError, Problem

if TYPE_CHECKING:
    from datasets import Dataset

    from tunebook.data.prepare import PreparedData

HEAD = 64
"""Training rows that are read at once, for the shapes and types that the parts of a run ask for."""
SHOWN = 10
READERS: dict[str, Any] = {"files": FilesReader, "hub": HubReader}


def prepare_streamed(
    dataset: Any,
    roles: Mapping[str, bool],
    cleaning: CleaningConfig | None = None,
    label_kind: str = "class",
    cwd: Path | None = None,
) -> tuple[PreparedData, Stream]:
    """As `tunebook.data.prepare.prepare`, but the training rows stay where they are.

    `splits["train"]` holds the first rows only, for those who need to see what rows look like; the fingerprint
    of train is the source's identity (see `Reader.identity`). Nothing that needs all training rows at once is
    done: no duplicates, conflicts, leaks, audit. Validation and test are loaded whole and go through the same
    work row by row.

    Args:
        dataset: the configuration's `dataset` (`DatasetConfig`).
        roles: the task's roles, each with whether it must be there.
        cleaning: the configuration's `cleaning`; None: its defaults.
        label_kind: `class`, `classes` or `number`.
        cwd: where relative paths start; default: the working folder.

    Raises:
        ConfigurationError: labels are not stated.
        DataError: what can be told before training begins.
        NothingReached: the Hub is needed and cannot be reached.
    """
    from datasets import DatasetDict

    from tunebook.data.prepare import PreparedData

    if problems := preflight.problems(dataset, roles, cwd):
        raise DataError(problems)
    reader: Reader = READERS[dataset.source](dataset.options, preflight.context(dataset, roles, cwd))
    mapping = _mapping(dataset, roles, reader)
    codes = _codes(dataset, label_kind, mapping, reader)
    work = RowWork(mapping, codes, cleaning or CleaningConfig(), aside=frozenset(AUXILIARY))
    stream = Stream(reader, work, (dataset.rows or {}).get("train"))
    head = _head(stream)
    gentle = replace(work, cleaning=_never_dropping(work.cleaning))
    evaluated = {name: _worked(name, split, gentle) for name, split in reader.evaluated().items()}
    _check_rows(evaluated, dataset.rows)
    splits = DatasetDict({"train": _split(head, work), **evaluated})
    limits = {name: most for name, most in (dataset.max_rows or {}).items() if name != "train"}
    splits = splitting.in_order(splitting.limit(splits, limits, dataset.split.seed, "label", label_kind))
    whole = {name: split for name, split in splits.items() if name != "train"}
    digests = {name: fingerprint.inputs(split, "label") for name, split in whole.items()}
    prints = {name: fingerprint.of(split, digests[name], "label", codes.names) for name, split in whole.items()}
    data = PreparedData(
        splits=splits,
        label_names=codes.names,
        fingerprints={"train": reader.identity(), **prints},
        overlaps=fingerprint.overlaps(DatasetDict(whole), digests),
        licence=dataset.licence,
        source=f"{dataset.source}: {reader.place}, streamed",
    )
    return data, stream


def _mapping(dataset: Any, roles: Mapping[str, bool], reader: Reader) -> dict[str, str | list[str]]:
    """Role to column, of the roles that are required, named, or there by their own name."""
    there = reader.columns()
    wanted = columns.wanted(dataset.columns, roles)
    taken = columns.all_sources(dataset.columns)
    used = {
        role: column
        for role, column in wanted.items()
        if roles.get(role) or role in dataset.columns or (role in there and role not in taken)
    }
    if problems := columns.absent(used, used, there, reader.place):
        raise DataError(problems)
    return used


def _codes(dataset: Any, kind: str, mapping: Mapping[str, str | list[str]], reader: Reader) -> LabelCodes:
    column = mapping["label"]
    key = columns.key_of("label", column)
    own = column if isinstance(column, list) else reader.label_names(column)
    if kind != "number" and not dataset.labels and not own:
        message = "must be given with dataset.streaming: names are not gathered from rows that are not yet read"
        raise ConfigurationError(Problem("dataset.labels", message))
    return LabelCodes(kind, dataset.labels, key, own, dataset.label_separator)


def _head(stream: Stream) -> list[dict[str, Any]]:
    rows = stream.rows()
    head = list(itertools.islice(rows, HEAD))
    rows.close()
    return head


def _never_dropping(cleaning: CleaningConfig) -> CleaningConfig:
    """No row of validation or test is left out; a missing text counts as an empty one there."""
    return cleaning.model_copy(update={"missing": "report"}) if cleaning.missing == "drop" else cleaning


def _worked(name: str, split: Dataset, work: RowWork) -> Dataset:
    """A whole split, row by row as the training rows; a row without a value is an error here."""
    kept, problems = [], []
    for row, values in enumerate(split):
        try:
            made = work(dict(values), name, row)
        except DataError as error:
            problems += error.problems
            continue
        if isinstance(made, Left):
            problems.append(Problem(name, f"row {row} (counted from 0) has {made.reason}; complete or remove it"))
        else:
            kept.append(made)
    if not kept and not problems:
        problems = [Problem(name, "has no rows")]
    if problems:
        more = [Problem(name, f"… ({len(problems)} such rows in all)")] if len(problems) > SHOWN else []
        raise DataError([*problems[:SHOWN], *more])
    return _split(kept, work)


def _split(rows: list[dict[str, Any]], work: RowWork) -> Dataset:
    from datasets import ClassLabel, Dataset, Features, List, Value

    codes = work.codes
    kinds: dict[str, Any] = {"class": lambda: ClassLabel(names=codes.names if codes else None)}
    kinds |= {"classes": lambda: List(Value("int8")), "number": lambda: Value("float64")}
    features = {role: Value("string") for role in work.columns if role != work.label}
    if codes:
        features[work.label] = kinds[codes.kind]()
    return Dataset.from_list(rows, features=Features({**features, ROW: Value("int64")}))


def _check_rows(splits: Mapping[str, Dataset], stated: Mapping[str, int] | None) -> None:
    others = {name: count for name, count in (stated or {}).items() if name != "train"}
    if problems := checks.stated_rows(splits, others):
        raise DataError(problems)
