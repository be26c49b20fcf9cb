"""Texts are written in one form, labels and numbers are left alone."""

from __future__ import annotations

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

from tunebook.config.data_groups import CleaningConfig
from tunebook.data.cleaning.text import normalize
from tunebook.data.columns import Column

COLUMNS = {"text": Column("text"), "label": Column("label", target=True)}
MESSY = " a\t b\u00a0\n"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, MESSY),
        ({"whitespace": "strip"}, "a\t b"),
        ({"whitespace": "collapse"}, "a b"),
        ({"unicode": "NFKC"}, " a\t b \n"),
        ({"unicode": "NFKC", "whitespace": "strip"}, "a\t b"),
    ],
)
def test_forms(options, expected):
    splits = DatasetDict(train=Dataset.from_dict({"text": [MESSY], "row": [0]}))
    assert normalize(splits, CleaningConfig(**options), COLUMNS)["train"]["text"][:] == [expected]


def test_composed_letters():
    splits = DatasetDict(train=Dataset.from_dict({"text": ["e\u0301 ﬁ"], "row": [0]}))
    assert normalize(splits, CleaningConfig(unicode="NFC"), {})["train"]["text"][:] == ["\u00e9 ﬁ"]
    assert normalize(splits, CleaningConfig(unicode="NFKC"), {})["train"]["text"][:] == ["\u00e9 fi"]


def test_every_split_and_role_but_not_the_label():
    features = Features(
        {
            "text": Value("string"),
            "text_pair": Value("string"),
            "tokens": List(Value("string")),
            "label": Value("string"),
            "group": Value("string"),
            "score": ClassLabel(names=[" a"]),
            "row": Value("int64"),
        }
    )
    row = {"text": " x ", "text_pair": None, "tokens": [" y", "z "], "label": " l", "group": " g", "score": 0, "row": 3}
    given = Dataset.from_list([row], features=features)
    done = normalize(DatasetDict(train=given, test=given), CleaningConfig(whitespace="strip"), COLUMNS)
    for split in done.values():
        assert split.to_list() == [{**row, "text": "x", "tokens": ["y", "z"]}]
        assert split.features == features
        assert split.column_names == given.column_names
