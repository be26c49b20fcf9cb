"""The whole story of the data, from files to checked splits."""

from __future__ import annotations

import logging

import pytest
from datasets import ClassLabel, Image

from tunebook.data.prepare import prepare
from tunebook.errors import DataError

TEXT = {"text": True, "text_pair": False, "label": True}
IMAGE = {"image": True, "label": True}
ROWS = [("fine", "pos"), ("bad", "neg"), ("good", "pos"), ("poor", "neg")]


def csv(rows, header="text,label"):
    return header + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)


@pytest.fixture
def prepared(tmp_path, write, configured):
    """prepared({"train": content, …}, **fields of the configuration) of CSV files."""

    def run(contents, roles=TEXT, **fields):
        for name, content in contents.items():
            write(f"{name}.csv", content)
        options = {name: f"{name}.csv" for name in contents}
        return prepare(configured("files", options, **fields), roles, cwd=tmp_path)

    return run


@pytest.fixture
def refusal(prepared):
    def run(contents, **options) -> str:
        with pytest.raises(DataError) as caught:
            prepared(contents, **options)
        return str(caught.value)

    return run


def test_roles_row_and_label_are_all_there_is(prepared):
    content = csv([(1, "fine", "pos"), (2, "bad", "neg")], "id,body,stars")
    data = prepared({"train": content}, columns={"text": "body", "label": "stars"}, licence="MIT")
    train = data.splits["train"]
    assert train.to_list() == [{"text": "fine", "row": 0, "label": 1}, {"text": "bad", "row": 1, "label": 0}]
    assert train.features["label"] == ClassLabel(names=["neg", "pos"])
    assert train.features["row"].dtype == "int64"
    assert (data.label_names, data.licence, data.source) == (["neg", "pos"], "MIT", "files: train.csv")


def test_columns_may_be_traded(prepared):
    data = prepared({"train": csv([("pos", "fine"), ("neg", "bad")])}, columns={"text": "label", "label": "text"})
    assert data.splits["train"]["text"][:] == ["fine", "bad"]


@pytest.mark.parametrize(
    ("header", "columns", "used"),
    [
        ("text,text_pair,label", {}, ["label", "row", "text", "text_pair"]),
        ("text,other,label", {}, ["label", "row", "text"]),
        ("text,other,label", {"text_pair": "other"}, ["label", "row", "text", "text_pair"]),
        ("other,text_pair,label", {"text": "text_pair"}, ["label", "row", "text"]),
    ],
)
def test_an_optional_role(prepared, header, columns, used):
    data = prepared({"train": csv([("a", "b", 0), ("c", "d", 1)], header)}, columns=columns)
    assert sorted(data.splits["train"].column_names) == used


def test_the_text_na_is_a_text(prepared):
    data = prepared({"train": csv([("NA", 1), ("null", 0)])})
    assert data.splits["train"]["text"][:] == ["NA", "null"]


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        ([("a", 1), ("b", "NaN"), ("c", 0), ("d", "")], ["label='label'", "2 rows have no label: rows 1, 3"]),
        ([("a", "x"), ("b", "nan"), ("c", "y")], ["1 row has no label: row 1"]),
        ([("a", ""), ("b", "")], ["no row has a value: all 2 rows have no label"]),
        ([("", "x"), ("b", "y"), ("  ", "x")], ["text='text'", "2 rows have no text: rows 0, 2"]),
        ([("", "x")] * 15 + [("a", "y")], ["15 rows have no text", "8, 9, … (15 in all)"]),
        ([("", "x"), ("b", "")], ["2 problems", "1 row has no text: row 0", "1 row has no label: row 1"]),
        ([(1, "x"), (2, "y")], ["must be text; it holds whole numbers"]),
        ([("a", "x"), ("b", "x")], ["train has one class only, 'x'"]),
        ([("a", 1.5), ("b", 2.25)], ["classification needs classes"]),
    ],
)
def test_rows_that_are_refused(refusal, rows, parts):
    message = refusal({"train": csv(rows)})
    for part in parts:
        assert part in message


def test_wrong_column_in_a_later_split(refusal):
    message = refusal({"train": csv(ROWS), "test": csv([("a", "pos")], "text,lable")})
    assert (
        "dataset.columns.label='label'   no such column in test.csv; it has: text, lable; did you mean lable?"
        in message
    )


def test_a_label_that_train_never_shows(refusal):
    message = refusal({"train": csv(ROWS), "test": csv([("x", "pos"), ("y", "mixed"), ("z", "mixed")])})
    assert "'mixed' stands in test but never in train: rows 1, 2" in message


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"rows": {"train": 5}}, "dataset.rows.train   states 5 rows; there are 4"),
        ({"rows": {"train": 4, "test": 9}}, "dataset.rows.test   states 9 rows; there are 0"),
        ({"labels": ["neg", "pos", "mixed"]}, "states 3: neg, pos, mixed; the data has 2: neg, pos"),
        ({"labels": ["bad", "good"]}, "'neg', 'pos'"),
    ],
)
def test_what_is_stated_is_checked(refusal, fields, part):
    assert part in refusal({"train": csv(ROWS)}, **fields)


def test_shares_rows_and_limits_together(prepared):
    rows = [(f"text {i}", i % 2) for i in range(40)]
    data = prepared(
        {"train": csv(rows)},
        split={"validation": 0.1, "test": 0.2, "seed": 3},
        rows={"train": 28, "validation": 4, "test": 8},
        max_rows={"train": 10},
    )
    assert data.splits.num_rows == {"train": 10, "validation": 4, "test": 8}
    texts = [(row["row"], row["text"]) for split in data.splits.values() for row in split]
    assert all(text == f"text {row}" for row, text in texts)
    assert len({row for row, _ in texts}) == 22


def test_fingerprints_are_of_the_content(prepared):
    first = prepared({"train": csv(ROWS), "test": csv(ROWS[:2])}).fingerprints
    again = prepared({"train": csv([(*row, 9) for row in ROWS], "text,label,id"), "test": csv(ROWS[:2])}).fingerprints
    assert first == again
    assert all(len(value) == 64 for value in first.values())
    changed = prepared({"train": csv([*ROWS[:3], ("poor!", "neg")]), "test": csv(ROWS[:2])}).fingerprints
    assert changed["train"] != first["train"]
    assert changed["test"] == first["test"]
    relabelled = prepared({"train": csv([*ROWS[:3], ("poor", "pos")]), "test": csv(ROWS[:2])}).fingerprints
    assert relabelled["train"] not in {first["train"], changed["train"]}


def test_fingerprint_of_the_digits_is_this_on_every_machine(configured):
    config = configured("digits", split={"validation": 0.15, "test": 0.15, "seed": 42})
    data = prepare(config, IMAGE)
    assert data.splits.num_rows == {"train": 1257, "validation": 270, "test": 270}
    assert data.label_names == list("0123456789")
    assert isinstance(data.splits["train"].features["image"], Image)
    assert data.fingerprints["train"].startswith("69a4c830bccd939e")


def test_rows_in_two_splits_are_reported(prepared, caplog):
    with caplog.at_level(logging.WARNING, logger="tunebook"):
        data = prepared(
            {"train": csv(ROWS), "validation": csv([("new", "pos")]), "test": csv([*ROWS[1:3], ("new", "pos")])}
        )
    assert data.overlaps == {("train", "validation"): 0, ("train", "test"): 2, ("validation", "test"): 1}
    assert "2 of 3 rows of test stand in train too, word for word: row 0, 1" in caplog.text
    assert "1 of 3 rows of test stands in validation too" in caplog.text


def test_pairs_overlap_only_when_both_texts_do(prepared):
    header = "text,text_pair,label"
    data = prepared({"train": csv([("a", "bc", 0), ("x", "y", 1)], header), "test": csv([("ab", "c", 0)], header)})
    assert data.overlaps == {("train", "test"): 0}


def test_without_a_label_role(tmp_path, write, configured):
    write("a.csv", "text\none\ntwo\nthree\nfour\n")
    config = configured("files", {"train": "a.csv"}, split={"test": 0.5})
    data = prepare(config, {"text": True}, label_role=None, cwd=tmp_path)
    assert (data.splits.num_rows, data.label_names) == ({"train": 2, "test": 2}, [])


def test_texts_are_no_images(refusal):
    assert "must hold images" in refusal({"train": csv([("a", 0), ("b", 1)], "image,label")}, roles=IMAGE)


def test_shipped_reviews(configured):
    config = configured("reviews", labels=["negative", "positive"], rows={"train": 980, "validation": 210, "test": 210})
    data = prepare(config, TEXT)
    assert data.label_names == ["negative", "positive"]
    assert set(data.overlaps.values()) == {0}


def test_sst2_sentences(real, configured):
    options = {
        split: str(real / f"sst2/sentences/{file}.tsv")
        for split, file in {"train": "train", "validation": "dev", "test": "test"}.items()
    }
    config = configured(
        "files", {**options, "column_names": ["text", "label"], "quoting": "none"}, labels=["negative", "positive"]
    )
    data = prepare(config, TEXT)
    assert data.splits.num_rows == {"train": 6920, "validation": 872, "test": 1821}
    assert data.overlaps["train", "test"] == 2
    assert sum(data.splits["train"]["label"]) == 3610


def test_cifar10_small(real, configured):
    config = configured("image_folder", {"path": str(real / "cifar10_small")}, split={"validation": 0.1})
    data = prepare(config, IMAGE)
    assert data.splits.num_rows == {"train": 1800, "validation": 200, "test": 500}
    assert len(data.label_names) == 10
    assert data.splits["validation"]["label"][:].count(3) == 20
    assert data.splits["train"][0]["image"].size == (32, 32)
