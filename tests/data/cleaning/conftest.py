"""Splits in one line, for the tests of cleaning."""

from __future__ import annotations

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

FEATURES = Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"]), "row": Value("int64")})


@pytest.fixture
def splits():
    """splits(train=[("good", 1), …], test=[…]) with rows counted from 0."""

    def made(**parts: list[tuple[str, int]]) -> DatasetDict:
        return DatasetDict(
            {
                name: Dataset.from_list(
                    [{"text": text, "label": label, "row": row} for row, (text, label) in enumerate(rows)],
                    features=FEATURES,
                )
                for name, rows in parts.items()
            }
        )

    return made
