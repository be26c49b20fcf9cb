"""A number a row, such as a similarity or a price: float64, finite. Knows values and splits, no task."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tunebook.data.labels import naming
from tunebook.data.labels.base import Stated, Targets
from tunebook.errors import DataError, Problem

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

SHOWN = 10
_COMMA = re.compile(r"[-+]?[0-9]+(\.[0-9]{3})*,[0-9]+")


class Regression:
    """Each row has one number; see `tunebook.data.labels.base.LabelType`."""

    name = "regression"
    words = "numbers"
    has_classes = False
    empty_is_missing = True

    def encode(
        self, splits: DatasetDict, role: str, stated: Stated, key: str, separator: str | None = None
    ) -> tuple[DatasetDict, Targets]:
        """The splits with `role` as float64.

        Refused are true and false, text that is no number, infinite ones, names for numbers, and one number throughout.
        """
        from datasets import DatasetDict, Value

        naming.refuse_separator(separator)
        _check_no_classes(splits, role, stated, key)
        columns = {name: [_number(value) for value in split[role]] for name, split in splits.items()}
        problems = [problem for name in splits for problem in _wrong(splits[name], name, role, columns[name], key)]
        train = columns["train"]
        if not problems and len(train) > 1 and len(set(train)) == 1:
            problems.append(Problem(key, f"is {train[0]:g} in every training row; there is nothing to learn"))
        if problems:
            raise DataError(problems)
        encoded = {
            name: split.remove_columns(role).add_column(role, columns[name], feature=Value("float64"))
            for name, split in splits.items()
        }
        return DatasetDict(encoded), Targets()

    def strata(self, values: Any) -> None:
        """Numbers are split at random."""

    def describe(self, value: Any, names: Sequence[str]) -> str:
        """The number, shortened."""
        return f"{value:g}"


def _check_no_classes(splits: DatasetDict, role: str, stated: Stated, key: str) -> None:
    from datasets import ClassLabel

    problems = []
    if stated is not None:
        problems.append(Problem("dataset.labels", "names classes, but this task's labels are numbers; take it out"))
    features = [split.features[role] for split in splits.values()]
    if named := [feature for feature in features if isinstance(feature, ClassLabel)]:
        names = ", ".join((named[0].names or [])[:SHOWN])
        problems.append(Problem(key, f"holds classes ({names}), not numbers: is it the right column?"))
    if problems:
        raise DataError(problems)


def _number(value: Any) -> float | None:
    """The value as a float; None where it is none, or not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    if "_" in str(value):  # which Python allows between digits
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _wrong(split: Dataset, name: str, role: str, numbers: list[float | None], key: str) -> list[Problem]:
    from tunebook.data.checks import rows_in_words

    wrong = [(row, at) for at, (row, number) in enumerate(zip(split["row"][:], numbers, strict=True)) if number is None]
    if not wrong:
        return []
    value = split[wrong[0][1]][role]
    fix = ""
    if isinstance(value, bool):
        fix = "; true and false are classes, not numbers"
    elif isinstance(value, str) and _COMMA.fullmatch(value.strip()):
        fix = "; write decimal points instead of commas"
    rows = rows_in_words([row for row, _ in wrong], SHOWN)
    return [Problem(key, f"must hold finite numbers; {name} holds {value!r}: {rows}{fix}")]
