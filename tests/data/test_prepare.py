"""The whole story of the data, from files to checked splits."""

from __future__ import annotations

import csv as csv_module
import logging

import pandas
import pytest
from datasets import ClassLabel, Image

from tests.data.small_tasks import IMAGE, LABELS, TEXT, task
from tunebook.config.data_groups import CleaningConfig
from tunebook.data.cleaning.findings import Finding
from tunebook.data.columns import Column
from tunebook.data.prepare import prepare, without_rows
from tunebook.errors import DataError

ROWS = [("fine", "pos"), ("bad", "neg"), ("good", "pos"), ("poor", "neg")]


def csv(rows, header="text,label"):
    return header + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)


@pytest.fixture
def prepared(tmp_path, write, configured):
    """prepared({"train": content, …}, **fields of the configuration) of CSV files."""

    def run(contents, roles=TEXT, cleaning=None, kind="single_label", **fields):
        for name, content in contents.items():
            write(f"{name}.csv", content)
        options = {name: f"{name}.csv" for name in contents}
        policies = CleaningConfig(**(cleaning or {}))
        return prepare(configured("files", options, **fields), task(roles, LABELS[kind]), policies, tmp_path)

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
    assert "'mixed' is in test but never in train: rows 1, 2" in message


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
    test = csv([("new", "pos")])
    first = prepared({"train": csv(ROWS), "test": test}).fingerprints
    again = prepared({"train": csv([(*row, 9) for row in ROWS], "text,label,id"), "test": test}).fingerprints
    assert first == again
    assert all(len(value) == 64 for value in first.values())
    changed = prepared({"train": csv([*ROWS[:3], ("poor!", "neg")]), "test": test}).fingerprints
    assert changed["train"] != first["train"]
    assert changed["test"] == first["test"]
    relabelled = prepared({"train": csv([*ROWS[:3], ("poor", "pos")]), "test": test}).fingerprints
    assert relabelled["train"] not in {first["train"], changed["train"]}


def test_fingerprint_of_the_digits_is_this_on_every_machine(configured):
    config = configured("digits", split={"validation": 0.15, "test": 0.15, "seed": 42})
    data = prepare(config, task(IMAGE))
    assert data.splits.num_rows == {"train": 1257, "validation": 270, "test": 270}
    assert data.label_names == list("0123456789")
    assert isinstance(data.splits["train"].features["image"], Image)
    assert data.fingerprints["train"].startswith("69a4c830bccd939e")


def test_rows_in_two_splits_are_reported(prepared, caplog):
    with caplog.at_level(logging.WARNING, logger="tunebook"):
        data = prepared(
            {"train": csv(ROWS), "validation": csv([("new", "pos")]), "test": csv([*ROWS[1:3], ("new", "pos")])},
            cleaning={"leaks": "report"},
        )
    assert data.overlaps == {("train", "validation"): 0, ("train", "test"): 2, ("validation", "test"): 1}
    assert "2 of 3 rows of test are in train too, word for word: rows 0, 1" in caplog.text
    assert "1 of 3 rows of test is in validation too" in caplog.text


def test_pairs_overlap_only_when_both_texts_do(prepared):
    header = "text,text_pair,label"
    data = prepared({"train": csv([("a", "bc", 0), ("x", "y", 1)], header), "test": csv([("ab", "c", 0)], header)})
    assert data.overlaps == {("train", "test"): 0}


def test_without_a_label_role(tmp_path, write, configured):
    write("a.csv", "text\none\ntwo\nthree\nfour\n")
    config = configured("files", {"train": "a.csv"}, split={"test": 0.5})
    data = prepare(config, task({"text": Column("text")}, None), cwd=tmp_path)
    assert (data.splits.num_rows, data.label_names) == ({"train": 2, "test": 2}, [])


def test_texts_are_no_images(refusal):
    assert "must hold images" in refusal({"train": csv([("a", 0), ("b", 1)], "image,label")}, roles=IMAGE)


def test_shipped_reviews(configured):
    config = configured("reviews", labels=["negative", "positive"], rows={"train": 980, "validation": 210, "test": 210})
    data = prepare(config, task())
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
    data = prepare(config, task(), CleaningConfig(leaks="report", near_leaks="report"))
    frames = {
        split: pandas.read_csv(file, sep="\t", header=None, names=["text", "label"], quoting=csv_module.QUOTE_NONE)
        for split, file in options.items()
    }
    train, test = frames["train"], frames["test"]
    assert data.splits.num_rows == {split: len(frame) for split, frame in frames.items()}
    assert data.overlaps["train", "test"] == test.text.isin(set(train.text)).sum() > 0
    assert sum(data.splits["train"]["label"]) == train.label.sum()
    found = {(one.kind, one.split): one for one in data.findings}
    assert len(found["duplicates", "train"].rows) == train.duplicated().sum() > 0
    assert found["leaks", "train"].rows == train.index[train.text.isin(set(test.text))].tolist()
    dropped = prepare(config, task())
    assert dropped.splits["test"].to_list() == data.splits["test"].to_list()
    assert dropped.fingerprints["test"] == data.fingerprints["test"]
    assert dropped.overlaps["train", "test"] == 0
    assert not set(found["leaks", "train"].rows) & set(dropped.splits["train"]["row"])


def test_cifar10_small(real, configured):
    config = configured("image_folder", {"path": str(real / "cifar10_small")}, split={"validation": 0.1})
    data = prepare(config, task(IMAGE))
    assert data.splits.num_rows == {"train": 1800, "validation": 200, "test": 500}
    assert len(data.label_names) == 10
    assert data.splits["validation"]["label"][:].count(3) == 20
    assert data.splits["train"][0]["image"].size == (32, 32)


SPAM = {"column_names": ["label", "text"], "quoting": "none", "delimiter": "\t", "format": "tsv"}


def test_duplicates_of_the_spam_messages(real, configured):
    file = real / "sms_spam/SMSSpamCollection"
    frame = pandas.read_csv(file, sep="\t", header=None, names=["label", "text"], quoting=csv_module.QUOTE_NONE)
    config = configured("files", {"train": str(file), **SPAM})
    data = prepare(config, task(), CleaningConfig(duplicates="drop"))
    assert len(data.splits["train"]) == len(frame.drop_duplicates()) < len(frame)
    [finding] = [one for one in data.findings if one.kind == "duplicates"]
    assert finding.rows == frame.index[frame.duplicated()].tolist()
    assert [one.row for one in data.dropped] == finding.rows
    assert data.splits["train"]["row"][:] == frame.index[~frame.duplicated()].tolist()
    again = prepare(config, task(), CleaningConfig(duplicates="drop"))
    assert (again.fingerprints, again.findings) == (data.fingerprints, data.findings)


def test_what_carving_puts_apart_leaks_no_more(prepared):
    rows = [(f"text number {at // 2} of them", at // 2 % 2) for at in range(80)]
    data = prepared({"train": csv(rows)}, split={"validation": 0.25, "test": 0.25})
    assert data.splits["test"].num_rows == 20
    seen = [set(split["text"]) for split in data.splits.values()]
    assert not seen[0] & seen[1] | seen[0] & seen[2] | seen[1] & seen[2]
    assert set(data.overlaps.values()) == {0}
    assert {(one.kind, one.split) for one in data.findings} == {
        ("duplicates", "train"), ("leaks", "train"), ("leaks", "validation")
    }  # fmt: skip
    kept = {row for split in data.splits.values() for row in split["row"]}
    assert kept | {one.row for one in data.dropped} == set(range(80))


@pytest.mark.parametrize("kind", ["duplicates", "conflicts", "leaks", "near_leaks", "near_duplicates"])
def test_error_stops_the_run(refusal, kind):
    long = "a rather long text of which one letter differs"
    train = csv([*ROWS, ROWS[0], ("bad", "pos"), (long, "pos"), (long + "!", "pos")])
    message = refusal({"train": train, "test": csv([ROWS[2], (long + "?", "neg")])}, cleaning={kind: "error"})
    assert f"cleaning.{kind}" in message
    assert f"set cleaning.{kind} to report or drop" in message


@pytest.mark.parametrize(
    ("rows", "test", "fields", "part"),
    [
        (ROWS, ROWS, {}, "train split   has no rows left; rows were dropped from train before: 4 by cleaning.leaks"),
        (ROWS, [ROWS[0], ROWS[2]], {}, "one class only, 'neg'; there is nothing to tell apart; rows were dropped"),
        ([*ROWS, ("odd", "mixed")], [("odd", "mixed")], {}, "'mixed' is in test but never in train: row 0"),
        (ROWS, [ROWS[0]], {"per_class": 2}, "'pos' has 1; rows were dropped from train before: 1 by cleaning.leaks"),
    ],
)
def test_too_little_left_says_what_took_it(refusal, rows, test, fields, part):
    assert part in refusal({"train": csv(rows), "test": csv(test)}, **fields)


def test_missing_dropped(prepared):
    rows = [("a", "x"), ("", "y"), ("c", ""), ("d", "y"), ("e", "x")]
    test = [("", "x"), ("g", "y")]
    data = prepared({"train": csv(rows), "test": csv(test)}, cleaning={"missing": "drop"}, rows={"train": 5, "test": 2})
    assert data.splits["train"]["row"][:] == [0, 3, 4]
    assert data.splits["test"]["text"][:] == ["", "g"]


def test_a_missing_label_in_test_is_never_dropped(refusal):
    message = refusal({"train": csv(ROWS), "test": csv([("new", ""), ("x", "pos")])}, cleaning={"missing": "drop"})
    assert "1 row has no label: row 0" in message


def test_stated_rows_are_the_sources(prepared, refusal):
    content = csv([(f"text {at // 2}", at // 2 % 2) for at in range(40)])
    fields = {"cleaning": {"duplicates": "drop"}, "split": {"test": 0.25}}
    data = prepared({"train": content}, rows={"train": 30, "test": 10}, **fields)
    assert data.splits.num_rows == {"train": 15, "test": 5}
    assert "states 41 rows for train + test; there are 40" in refusal(
        {"train": content}, rows={"train": 31, "test": 10}, **fields
    )


def test_whitespace_comes_before_duplicates(prepared):
    rows = [("a  b", "x"), ("a b", "x"), ("c", "y")]
    data = prepared({"train": csv(rows)}, cleaning={"whitespace": "collapse", "duplicates": "drop"})
    assert data.splits["train"]["text"][:] == ["a b", "c"]


def test_weights_follow_the_rows(prepared, refusal):
    rows = [("a", "x", 1), ("b", "y", 2), ("b", "y", 50), ("c", "x", 3), ("d", "y", 2)]
    contents = {"train": csv(rows, "text,label,worth"), "test": csv([("new", "x")])}
    data = prepared(contents, columns={"weight": "worth"}, cleaning={"duplicates": "drop"})
    assert data.weights.tolist() == [0.5, 1, 1.5, 1]
    assert "weight" not in data.splits["test"].column_names
    assert prepared(contents, cleaning={"duplicates": "drop"}).weights is None
    others = {**contents, "train": csv([*rows[:4], ("d", "y", 7)], "text,label,worth")}
    again = prepared(others, columns={"weight": "worth"}, cleaning={"duplicates": "drop"})
    assert again.fingerprints["train"] != data.fingerprints["train"]
    with pytest.raises(DataError, match=r"dataset.columns.weight='wrth'   no such column in train.csv"):
        prepared(contents, columns={"weight": "wrth"})
    bad = {**contents, "train": csv([*rows, ("e", "x", -1)], "text,label,worth")}
    assert "dataset.columns.weight='worth'" in refusal(bad, columns={"weight": "worth"})


def test_a_finding_keeps_how_many_rows_were_looked_at(prepared):
    rows = [(f"text {at}", "xy"[at % 2]) for at in range(20)] + [("text 0", "x"), ("text 2", "x")]
    data = prepared({"train": csv(rows)}, per_class=3)
    assert data.splits["train"].num_rows == 6
    assert [(one.kind, len(one.rows), one.of) for one in data.findings] == [("duplicates", 2, 22)]


def test_without_rows(prepared):
    rows = [("a", "x", 1), ("b", "y", 2), ("c", "x", 3), ("d", "y", 2)]
    data = prepared({"train": csv(rows, "text,label,weight")}, columns={"weight": "weight"})
    finding = Finding("label_noise", "drop", "train", [0, 3], [], 2, "2 rows of 4")
    less = without_rows(data, [3, 0], finding, ["label_noise: doubtful", "label_noise: wrong"])
    assert less.splits["train"]["row"][:] == [1, 2]
    assert less.weights.tolist() == pytest.approx([0.8, 1.2])
    assert (less.findings, less.fingerprints) == ([finding], data.fingerprints)
    assert [(one.row, one.values["label"], one.reason) for one in less.dropped] == [
        (3, "y", "label_noise: doubtful"), (0, "x", "label_noise: wrong")
    ]  # fmt: skip
    assert data.splits["train"].num_rows == 4
    with pytest.raises(DataError, match="leaves no training rows: 2 rows of 4"):
        without_rows(data, range(4), finding, ["why"] * 4)


def test_groups_are_for_splitting_alone(prepared):
    rows = [(f"text {at}", at % 2, f"author {at // 4}") for at in range(40)]
    fields = {"columns": {"group": "author"}, "split": {"test": 0.3}}
    data = prepared({"train": csv(rows, "text,label,author")}, **fields)
    assert not set(data.splits["train"]["group"]) & set(data.splits["test"]["group"])
    assert data.splits["test"].num_rows == 12
    other = [(*row[:2], f"x{row[2]}") for row in rows]
    assert prepared({"train": csv(other, "text,label,author")}, **fields).fingerprints == data.fingerprints


def test_several_labels(prepared):
    labels = ["a", "b", "a;b", "", "c"]
    rows = [(f"text {at}", labels[at % 5]) for at in range(50)] + [("text 0", "b"), ("text 1", "b")]
    data = prepared({"train": csv(rows)}, kind="multi_label", label_separator=";", split={"validation": 0.2})
    assert data.label_names == ["a", "b", "c"]
    found = {one.kind: one.rows for one in data.findings if one.kind in {"conflicts", "duplicates"}}
    assert found == {"conflicts": [0, 50], "duplicates": [51]}
    assert data.splits["validation"].num_rows + data.splits["train"].num_rows >= 50


def test_numbers(prepared):
    rows = [(f"text {at}", at / 4) for at in range(20)] + [("text 3", 9.5)]
    data = prepared({"train": csv(rows)}, kind="regression", split={"validation": 0.2}, cleaning={"conflicts": "drop"})
    assert sum(data.splits.num_rows.values()) == 19
    assert data.label_names == []
