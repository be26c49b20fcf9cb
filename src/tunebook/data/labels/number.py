"""A number a row, such as a similarity or a price: float64, finite."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tunebook.errors import DataError, Problem

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

    from tunebook.data.labels import Stated

SHOWN = 10
_COMMA = re.compile(r"[-+]?[0-9]+(\.[0-9]{3})*,[0-9]+")


def encode(splits: DatasetDict, role: str, stated: Stated, key: str) -> DatasetDict:
    """The splits with `role` as float64; see `labels.encode`.

    Raises:
        DataError: true/false, text that is no number, infinite ones, names for numbers, or one number throughout.
    """
    from datasets import ClassLabel, DatasetDict, Value

    problems = []
    if stated is not None:
        problems.append(Problem("dataset.labels", "names classes, but this task's labels are numbers; take it out"))
    for split in splits.values():
        if isinstance(split.features[role], ClassLabel):
            names = ", ".join((split.features[role].names or [])[:SHOWN])
            problems.append(Problem(key, f"holds classes ({names}), not numbers: is it the right column?"))
            break
    if problems:
        raise DataError(problems)
    columns = {name: [_number(value) for value in split[role]] for name, split in splits.items()}
    for name, split in splits.items():
        problems += _wrong(split, name, role, columns[name], key)
    train = columns["train"]
    if not problems and len(train) > 1 and len(set(train)) == 1:
        problems.append(Problem(key, f"is {train[0]:g} in every training row; there is nothing to learn"))
    if problems:
        raise DataError(problems)
    return DatasetDict(
        {
            name: split.remove_columns(role).add_column(role, columns[name], feature=Value("float64"))
            for name, split in splits.items()
        }
    )


def _number(value: Any) -> float | None:
    """The value as a float; None where it is none, or not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    if isinstance(value, str) and "_" in value:  # which Python allows between digits
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _wrong(split: Dataset, name: str, role: str, numbers: list[float | None], key: str) -> list[Problem]:
    rows = list(split["row"]) if "row" in split.column_names else list(range(len(split)))
    wrong = [(row, value) for row, value, number in zip(rows, split[role], numbers, strict=True) if number is None]
    if not wrong:
        return []
    value = wrong[0][1]
    shown = ", ".join(str(row) for row, _ in wrong[:SHOWN])
    more = f", … ({len(wrong)} in all)" if len(wrong) > SHOWN else ""
    where = f"row{'s' if len(wrong) > 1 else ''} {shown}{more} (counted from 0)"
    mend = ""
    if isinstance(value, bool):
        mend = "; true and false are classes, not numbers"
    elif isinstance(value, str) and _COMMA.fullmatch(value.strip()):
        mend = "; write decimal points instead of commas"
    return [Problem(key, f"must hold finite numbers; {name} holds {value!r}: {where}{mend}")]
