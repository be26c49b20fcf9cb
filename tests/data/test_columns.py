"""Which column plays which role: several for a label, roles that the model never sees, and what is missing."""

from __future__ import annotations

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Value

from tests.data.small_tasks import TEXT as ROLES
from tunebook.data import columns
from tunebook.errors import DataError


def renamed(said, roles=ROLES, **data):
    splits = DatasetDict(train=Dataset.from_dict(data))
    return columns.rename(splits, said, roles, {"train": "train.csv"})["train"]


def test_several_columns_become_one_label():
    train = renamed({"label": ["toxic", "rude"]}, text=["a", "b"], rude=[0, 1], toxic=[1, None], other=[1, 1])
    assert train.to_list() == [
        {"text": "a", "label": {"toxic": 1, "rude": 0}, "row": 0},
        {"text": "b", "label": {"toxic": None, "rude": 1}, "row": 1},
    ]
    assert list(train.features["label"]) == ["toxic", "rude"]


def test_several_columns_keep_their_types():
    data = Dataset.from_dict({"text": ["a"], "x": [1], "y": [0]}).cast_column("x", ClassLabel(names=["no", "yes"]))
    train = columns.rename(DatasetDict(train=data), {"label": ["x", "y"]}, ROLES, {"train": "t"})["train"]
    assert train.features["label"] == {"x": ClassLabel(names=["no", "yes"]), "y": Value("int64")}


def test_auxiliary_roles_are_kept_where_they_are_named():
    data = {"text": ["a", "b"], "label": [0, 1], "user": [7, 7], "group": [1, 2], "when": ["x", "y"]}
    assert renamed({"group": "user", "time": "when"}, **data).to_list() == [
        {"text": "a", "label": 0, "group": 7, "time": "x", "row": 0},
        {"text": "b", "label": 1, "group": 7, "time": "y", "row": 1},
    ]
    assert renamed({}, **data).column_names == ["text", "label", "row"]


def test_a_group_may_look_at_the_text_itself():
    data = {"question": ["q", "q"], "answer": ["a", "b"], "label": [0, 1]}
    said = {"text": "question", "text_pair": "answer", "group": "question"}
    assert columns.shared(said, ROLES) == []
    assert renamed(said, **data).to_list()[1] == {
        "text": "q", "text_pair": "b", "label": 1, "group": "q", "row": 1,
    }  # fmt: skip


def test_a_column_that_is_called_row():
    assert renamed({"text": "row"}, row=["a", "b"], label=[0, 1]).to_list() == [
        {"text": "a", "label": 0, "row": 0},
        {"text": "b", "label": 1, "row": 1},
    ]
    assert renamed({}, text=["a"], label=[0], row=[99])["row"][:] == [0]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"label": ["a", "text"]}, [("dataset.columns.label='text'", "is also the column of text")]),
        ({"label": ["a", "a"]}, [("dataset.columns.label='a'", "is named twice")]),
        ({"text": ["a", "b"]}, [("dataset.columns.text=[a, b]", "only labels may take several")]),
        ({"text": "label"}, [("dataset.columns.label='label'", "is also the column of text")]),
        ({"weight": "label"}, []),
    ],
)
def test_columns_that_are_taken(said, told):
    found = columns.shared(said, ROLES)
    assert [problem.key for problem in found] == [key for key, _ in told]
    for problem, (_, part) in zip(found, told, strict=True):
        assert part in problem.message


def test_each_missing_column_is_told():
    with pytest.raises(DataError) as caught:
        renamed({"label": ["toxik", "rude"], "group": "user"}, text=["a"], toxic=[1])
    keys = [problem.key for problem in caught.value.problems]
    assert keys == ["dataset.columns.label='toxik'", "dataset.columns.label='rude'", "dataset.columns.group='user'"]
    assert "no such column in train.csv; it has: text, toxic; did you mean toxic?" in str(caught.value)


def test_a_header_of_a_million_letters_is_not_shown_whole():
    (problem,) = columns.absent({"text": "text"}, ["text"], ["x" * 10**6], "a.csv")
    assert len(problem.message) < 200
    (problem,) = columns.absent({"text": "text"}, ["text"], [f"c{at}" for at in range(500)], "a.csv")
    assert problem.message.endswith("c29, … (500 in all)")


def test_keys_show_what_was_said():
    assert columns.key_of("text", "body") == "dataset.columns.text='body'"
    assert columns.key_of("label", ["a", "b"]) == "dataset.columns.label=[a, b]"
    assert columns.all_sources({"text": "t", "label": ["a", "t"]}) == ["t", "a"]
