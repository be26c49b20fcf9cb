"""Rows without a text, an image or a label, where they are not simply refused. `checks` refuses what is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pyarrow
from datasets import Dataset, DatasetDict, Value

from tunebook.data import checks
from tunebook.data.cleaning.findings import AffectedRows, Record
from tunebook.data.cleaning.text import changed
from tunebook.data.columns import Column


def apply_policy(splits: DatasetDict, columns: Mapping[str, Column], policy: str, record: Record) -> DatasetDict:
    """The splits with missing texts empty or, under `drop`, training rows without a value left out.

    A row of validation or test is never left out: a missing text there counts as an empty one, a missing label or
    image stays for `checks.values` to refuse. So does a column that is missing in every row: it is the wrong one. Of
    several labels an empty text means none, and is not missing.
    """
    if policy == "error":
        return splits
    for name in list(splits):
        for role in checks.roles_of(splits[name]):
            split, column = splits[name], columns[role]
            what, lacking = checks.missing(split, role, column.kind)
            if not lacking or len(lacking) == len(split) or column.may_be_empty:
                continue
            words = f"{'have' if len(lacking) > 1 else 'has'} {what}"
            rows = AffectedRows(name, lacking, "missing", words)
            if policy == "drop" and name == "train":
                splits = record.apply_policy(splits, rows, policy)
            elif column.kind == "text" and not column.target:
                rows = replace(rows, words=f"{words}, which counts as an empty one")
                record.apply_policy(splits, rows, "report")
                splits = DatasetDict({**splits, name: _filled(split, role)})
    return splits


def _filled(split: Dataset, role: str) -> Dataset:
    def filled(table: pyarrow.Table) -> pyarrow.Table:
        texts = ["" if checks.no_text(value) else value for value in table.column(role).to_pylist()]
        return table.set_column(table.column_names.index(role), role, pyarrow.array(texts, pyarrow.string()))

    features = split.features.copy()
    features[role] = Value("string")
    return changed(split, filled, features)
