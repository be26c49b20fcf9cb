"""Tags and spans as labels: their vocabulary, their repair, and what is refused."""

from __future__ import annotations

import logging

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

from tunebook.data.labels.token_labels import SpanLabels, TagLabels
from tunebook.errors import DataError

KEY = "dataset.columns.tags='tags'"


def splits(tags: list[list], features: Features | None = None) -> DatasetDict:
    columns = {"tokens": [["w"] * len(row) for row in tags], "tags": tags, "row": list(range(len(tags)))}
    return DatasetDict({"train": Dataset.from_dict(columns, features=features)})


def encoded(tags, stated=None, features=None, **settings):
    data, targets = TagLabels(**settings).encode(splits(tags, features), "tags", stated, KEY)
    return data["train"]["tags"][:], targets


def test_the_vocabulary_is_o_and_the_sorted_types():
    rows, targets = encoded([["O", "B-PER", "I-PER"], ["B-LOC"]])
    assert targets.names == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert targets.origin == "the values"
    assert rows == [[0, 3, 4], [1]]


@pytest.mark.parametrize("stated", [["PER", "LOC"], ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]])
def test_stated_types_or_tags_give_the_order(stated):
    rows, targets = encoded([["O", "B-PER", "I-PER"], ["B-LOC"]], stated)
    assert targets.names == ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
    assert rows == [[0, 1, 2], [3]]


def test_types_are_renamed_by_a_map():
    rows, targets = encoded([["O", "B-PER", "I-PER"]], {"PER": "person"})
    assert targets.names == ("O", "B-person", "I-person")
    assert rows == [[0, 1, 2]]


def test_ids_take_the_names_that_the_column_carries():
    features = Features(
        tokens=List(Value("string")), tags=List(ClassLabel(names=["O", "B-PER", "I-PER"])), row=Value("int64")
    )
    rows, targets = encoded([[0, 1, 2]], None, features)
    assert targets.names == ("O", "B-PER", "I-PER")
    assert targets.origin == "the column"
    assert rows == [[0, 1, 2]]


def test_ids_take_stated_tags_and_without_them_are_refused():
    assert encoded([[0, 2, 1]], ["O", "I-PER", "B-PER"])[0] == [[0, 1, 2]]
    with pytest.raises(DataError, match=r"holds the id 0"):
        encoded([[0, 2, 1]])


def test_bilou_is_learned_as_iob2():
    rows, targets = encoded([["B-A", "I-A", "L-A", "U-A", "O"]])
    assert targets.names == ("O", "B-A", "I-A")
    assert rows == [[1, 2, 2, 1, 0]]


def test_parts_of_speech_are_plain_labels():
    rows, targets = encoded([["DET", "NOUN"], ["VERB", "O"]])
    assert targets.names == ("O", "DET", "NOUN", "VERB")
    assert rows == [[1, 2], [3, 0]]


def test_invalid_tags_are_repaired_and_reported_once(caplog):
    caplog.set_level(logging.WARNING, "tunebook")
    rows, _ = encoded([["B-A", "O"], ["O", "I-A"], ["I-A", "I-A"]])
    assert rows == [[1, 0], [0, 1], [1, 2]]
    (message,) = [record.getMessage() for record in caplog.records]
    assert "2 tags" in message
    assert "rows 1, 2" in message


def test_invalid_tags_are_refused_where_that_is_the_policy():
    with pytest.raises(DataError, match=r"task\.invalid_tags") as caught:
        encoded([["B-A", "O"], ["O", "I-A"]], invalid="error")
    assert [problem.key for problem in caught.value.problems] == [KEY]


@pytest.mark.parametrize(
    ("tags", "stated", "settings", "key"),
    [
        ([["B-A", "L-A"]], None, {"scheme": "iob2"}, "task.scheme"),
        ([["B-A", "nonsense"]], None, {}, KEY),
        ([["B-A", "B-B"]], ["A"], {}, "dataset.labels"),
        ([["B-A"]], ["A", "B"], {}, "dataset.labels"),
    ],
)
def test_tags_that_are_not_of_the_scheme_or_not_stated_are_refused(tags, stated, settings, key):
    with pytest.raises(DataError) as caught:
        encoded(tags, stated, **settings)
    assert [problem.key for problem in caught.value.problems] == [key]


def test_a_row_with_another_number_of_tags_than_words_is_refused():
    data = splits([["O", "B-A"], ["O"]])
    data["train"] = data["train"].map(lambda row: {"tokens": ["one"]})
    with pytest.raises(DataError, match=r"row 0 .*\(row 0: 1 words, 2 tags\)"):
        TagLabels().encode(data, "tags", None, KEY)


def spans(*rows: list[dict], text: str = "Ada Byron met Charles") -> DatasetDict:
    columns = {"text": [text] * len(rows), "spans": list(rows), "row": list(range(len(rows)))}
    return DatasetDict({"train": Dataset.from_dict(columns)})


def span(start, end, label="PER"):
    return {"start": start, "end": end, "label": label}


def test_spans_are_put_in_order_and_their_types_are_the_vocabulary():
    data, targets = SpanLabels().encode(spans([span(14, 21), span(0, 9, "AUTHOR")]), "spans", None, "k")
    assert targets.names == ("O", "B-AUTHOR", "I-AUTHOR", "B-PER", "I-PER")
    assert data["train"]["spans"][0] == [span(0, 9, "AUTHOR"), span(14, 21)]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([span(5, 5)], "5–5"),
        ([span(0, 22)], "outside of the text"),
        ([span(-1, 3)], "outside of the text"),
        ([span(0, 9), span(4, 12)], "overlaps"),
        ([span(3, 4)], "white space"),
    ],
)
def test_spans_that_cannot_be_are_refused_with_their_row(wrong, words):
    with pytest.raises(DataError, match=words) as caught:
        SpanLabels().encode(spans([span(0, 3)], wrong), "spans", None, "k")
    assert [problem.place for problem in caught.value.problems] == ["train, row 1"]
