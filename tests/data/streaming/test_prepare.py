"""A stream from a configuration: the same rows as when they are loaded whole, and what stops it in the middle."""

import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tunebook.config.schema import CleaningConfig
from tunebook.data.sources import files, hub
from tunebook.data.streaming.prepare import prepare_streamed
from tunebook.data.streaming.stream import MOST_WRITTEN
from tunebook.errors import ConfigurationError, DataError

ROLES = {"text": True, "text_pair": False, "label": True}


def dataset(options, **settings):
    split = SimpleNamespace(validation=None, test=None, seed=42, method="auto", k_fold=None, fold=0)
    standard = {
        "columns": {}, "labels": ["bad", "good"], "label_separator": None, "rows": None, "max_rows": None,
        "licence": None, "per_class": None, "streaming": True, "fingerprints": None,
    }  # fmt: skip
    source = "hub" if isinstance(options, hub.Options) else "files"
    return SimpleNamespace(source=source, split=split, options=options, **(standard | settings))


def csv_of(path: Path, rows: list[tuple[str, str]]) -> str:
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows), encoding="utf-8")
    return str(path)


ROWS = [(f"text {at}", "bad" if at % 3 else "good") for at in range(200)]


def streamed(options, cleaning=None, kind="class", **settings):
    return prepare_streamed(dataset(options, **settings), ROLES, cleaning, kind)


def test_rows_of_several_files_follow_each_other_and_are_numbered_through(tmp_path):
    csv_of(tmp_path / "a.csv", ROWS[:120])
    csv_of(tmp_path / "b.csv", ROWS[120:])
    data, stream = streamed(files.Options(train=str(tmp_path / "*.csv")))
    expected = [{"text": text, "label": int(label == "good"), "row": at} for at, (text, label) in enumerate(ROWS)]
    assert list(stream.rows()) == expected
    assert list(stream.rows()) == expected  # every pass alike
    assert stream.seen == 200
    assert data.label_names == ["bad", "good"]
    assert len(data.splits["train"]) == 64  # the head, for shapes alone
    assert data.splits["train"][5] == expected[5]


def test_validation_and_test_are_whole_and_encoded_alike(tmp_path):
    train = csv_of(tmp_path / "train.csv", ROWS)
    validation = csv_of(tmp_path / "validation.csv", ROWS[:50])
    data, _ = streamed(files.Options(train=train, validation=validation))
    assert data.splits["validation"]["label"][:4] == [1, 0, 0, 1]
    assert data.splits["validation"].features["label"].names == ["bad", "good"]
    assert data.splits["validation"].features == data.splits["train"].features
    assert data.fingerprints.keys() == {"train", "validation"}
    assert data.overlaps == {}


def test_columns_are_renamed_and_texts_normalised(tmp_path):
    (tmp_path / "a.jsonl").write_text(
        "".join(json.dumps({"review": f"  a \t b{at} ", "stars": at % 2, "more": {"x": 1}}) + "\n" for at in range(80))
    )
    options = files.Options(train=str(tmp_path / "a.jsonl"))
    columns = {"text": "review", "label": "stars"}
    _, stream = streamed(options, CleaningConfig(whitespace="collapse"), columns=columns)
    assert next(stream.rows()) == {"text": "a b0", "label": 0, "row": 0}


def test_a_column_that_is_not_there(tmp_path):
    train = csv_of(tmp_path / "a.csv", ROWS)
    with pytest.raises(DataError, match="no such column in a.csv; it has: text, label"):
        streamed(files.Options(train=train), columns={"text": "review"})


def test_labels_must_be_stated(tmp_path):
    with pytest.raises(ConfigurationError, match="must be given with dataset.streaming"):
        streamed(files.Options(train=csv_of(tmp_path / "a.csv", ROWS)), labels=None)


def test_an_unknown_label_in_the_middle_stops_the_stream_there(tmp_path):
    train = csv_of(tmp_path / "a.csv", [*ROWS[:150], ("odd", "god"), *ROWS[150:]])
    _, stream = streamed(files.Options(train=train))  # the head is fine
    rows = stream.rows()
    assert len(list(itertools.islice(rows, 150))) == 150
    with pytest.raises(DataError) as raised:
        next(rows)
    (problem,) = raised.value.problems
    assert problem.place == "a.csv, line 152"
    assert "row 150 (counted from 0) has the label 'god'" in problem.message
    assert "did you mean good?" in problem.message


def test_a_missing_value_stops_by_default_with_its_line(tmp_path):
    train = csv_of(tmp_path / "a.csv", [*ROWS[:100], ("", "bad"), *ROWS[100:]])
    _, stream = streamed(files.Options(train=train))
    with pytest.raises(DataError, match=r"a.csv, line 102 +row 100 \(counted from 0\) has no text"):
        list(stream.rows())


def test_missing_drop_counts_and_writes_as_it_goes(tmp_path):
    holes = {5: ("", "bad"), 100: ("kept text", ""), 190: ("  ", "nan")}
    train = csv_of(tmp_path / "a.csv", [holes.get(at, row) for at, row in enumerate(ROWS)])
    _, stream = streamed(files.Options(train=train), CleaningConfig(missing="drop"), rows={"train": 200})
    assert stream.length is None  # an epoch's steps do not follow from the rows of the source
    kept = [row["row"] for row in stream.rows(tmp_path / "dropped.jsonl")]
    assert kept == [at for at in range(200) if at not in holes]
    lines = [json.loads(line) for line in (tmp_path / "dropped.jsonl").read_text().splitlines()]
    assert {line["row"]: line["reason"] for line in lines} == {
        5: "missing: has no text",
        100: "missing: has no label",
        190: "missing: has no text and no label",
    }
    assert lines[0]["values"] == {"text": "", "label": "bad"}
    assert lines[1]["values"] == {"text": "kept text"}
    list(stream.rows(tmp_path / "dropped.jsonl"))
    assert len((tmp_path / "dropped.jsonl").read_text().splitlines()) == 3  # begun anew


def test_dropped_rows_are_written_up_to_a_bound_and_all_counted(tmp_path, caplog):
    count = MOST_WRITTEN + 10
    train = csv_of(tmp_path / "a.csv", [("fine", "bad"), *[("", "bad")] * count])
    _, stream = streamed(files.Options(train=train), CleaningConfig(missing="drop"))
    with caplog.at_level("WARNING", logger="tunebook"):
        assert len(list(stream.rows(tmp_path / "dropped.jsonl"))) == 1
    assert len((tmp_path / "dropped.jsonl").read_text().splitlines()) == MOST_WRITTEN
    assert f"{count:,} of them lack a value and were left out" in caplog.text


def test_missing_report_keeps_empty_texts_and_never_empty_labels(tmp_path):
    train = csv_of(tmp_path / "a.csv", [("", "bad"), ("x", "good")])
    _, stream = streamed(files.Options(train=train), CleaningConfig(missing="report"))
    assert [row["text"] for row in stream.rows()] == ["", "x"]
    train = csv_of(tmp_path / "a.csv", [("x", "good")] * 80 + [("x", "")])
    _, stream = streamed(files.Options(train=train), CleaningConfig(missing="report"))
    with pytest.raises(DataError, match="a missing label cannot be kept"):
        list(stream.rows())


@pytest.mark.parametrize(
    ("stated", "found"), [(150, "there are more, from a.csv, line 152 on"), (300, "there are 200")]
)
def test_stated_rows_are_checked_where_the_stream_tells(tmp_path, stated, found):
    _, stream = streamed(files.Options(train=csv_of(tmp_path / "a.csv", ROWS)), rows={"train": stated})
    assert stream.length == stated
    with pytest.raises(DataError, match=f"states {stated} rows; {found}"):
        list(stream.rows())


def test_every_problem_of_validation_is_told_at_once(tmp_path):
    train = csv_of(tmp_path / "train.csv", ROWS)
    validation = csv_of(tmp_path / "validation.csv", [("a", "bad"), ("", "bad"), ("b", "odd")])
    with pytest.raises(DataError) as raised:
        streamed(files.Options(train=train, validation=validation))
    assert [problem.message.partition(";")[0] for problem in raised.value.problems] == [
        "row 1 (counted from 0) has no text",
        "row 2 (counted from 0) has the label 'odd', which dataset.labels does not name",
    ]


def test_numbers_and_several_labels(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a", "label": 1.5}\n{"text": "b", "label": 2}\n')
    data, stream = streamed(files.Options(train=str(tmp_path / "a.jsonl")), kind="number", labels=None)
    assert [row["label"] for row in stream.rows()] == [1.5, 2.0]
    assert data.label_names == []
    (tmp_path / "a.jsonl").write_text('{"text": "a", "label": ["good"]}\n{"text": "b", "label": []}\n')
    data, stream = streamed(files.Options(train=str(tmp_path / "a.jsonl")), kind="classes")
    assert [row["label"] for row in stream.rows()] == [[0, 1], [0, 0]]
    (tmp_path / "a.csv").write_text("text,warm,cold\na,1,0\nb,0,1\n")
    columns = {"label": ["warm", "cold"]}
    data, stream = streamed(files.Options(train=str(tmp_path / "a.csv")), kind="classes", labels=None, columns=columns)
    assert [row["label"] for row in stream.rows()] == [[1, 0], [0, 1]]
    assert data.label_names == ["warm", "cold"]


def test_identity_follows_content_and_not_place_or_name(tmp_path):
    def identity(path):
        return streamed(files.Options(train=str(path)))[0].fingerprints["train"]

    (tmp_path / "b").mkdir()
    first = identity(csv_of(tmp_path / "a.csv", ROWS))
    assert identity(csv_of(tmp_path / "b" / "other.csv", ROWS)) == first
    assert identity(csv_of(tmp_path / "a.csv", [*ROWS[:-1], ("text 199", "good")])) != first
    assert len(first) == 64


@pytest.mark.usefixtures("offline")
def test_the_hub_streams_a_local_folder(tmp_path):
    for split, count in {"train": 100, "test": 20}.items():
        rows = [{"text": f"{split} {at}", "label": at % 2} for at in range(count)]
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = hub.Options(path=str(tmp_path))
    data, stream = streamed(options, rows={"train": 100, "test": 20})
    assert [row["text"] for row in stream.rows()] == [f"train {at}" for at in range(100)]
    assert list(stream.rows())[3] == {"text": "train 3", "label": 1, "row": 3}
    assert data.splits["test"].num_rows == 20
    assert data.fingerprints["train"] == streamed(options)[0].fingerprints["train"]
    with pytest.raises(DataError, match="has no split 'validierung'"):
        streamed(hub.Options(path=str(tmp_path), splits={"train": "train", "validation": "validierung"}))


@pytest.fixture
def offline(monkeypatch, tmp_path_factory):
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
