"""Rows without a text, an image or a label, where they are not simply refused. `checks` refuses what is left."""

from __future__ import annotations

from typing import Any

from datasets import Dataset, DatasetDict, Value

from tunebook.data import checks
from tunebook.data.cleaning.findings import Record


def settled(splits: DatasetDict, label: str | None, label_kind: str, policy: str, record: Record) -> DatasetDict:
    """The splits with missing texts empty or, under `drop`, training rows without a value left out.

    A row of validation or test is never left out: a missing text there counts as an empty one, a missing label or
    image stays for `checks.values` to refuse. So does a column that is missing in every row: it is the wrong one.

    Args:
        splits: with role columns and `row`.
        label: the label's role.
        label_kind: class, classes or number; of several labels an empty text means none, and is not missing.
        policy: report, drop or error; `error` changes nothing.
        record: takes the findings.
    """
    if policy == "error":
        return splits
    for name in list(splits):
        for role in checks.roles_of(splits[name]):
            if role == label and label_kind == "classes":
                continue
            split = splits[name]
            what, lacking = checks.missing(split, role, label)
            if not lacking or len(lacking) == len(split):
                continue
            text = what == "no text"
            if policy == "drop" and name == "train":
                words = f"{'have' if len(lacking) > 1 else 'has'} {what}"
                splits = record.settle(splits, name, lacking, "missing", policy, words)
            elif text:
                words = f"{'have' if len(lacking) > 1 else 'has'} {what}, which counts as an empty one"
                record.settle(splits, name, lacking, "missing", "report", words)
                splits = DatasetDict({**splits, name: _filled(split, role)})
    return splits


def _filled(split: Dataset, role: str) -> Dataset:
    texts: list[Any] = ["" if checks.no_text(value) else value for value in split[role][:]]
    order = split.column_names
    return split.remove_columns(role).add_column(role, texts, feature=Value("string")).select_columns(order)
