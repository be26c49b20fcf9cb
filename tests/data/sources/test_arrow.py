"""Folders of save_to_disk: what is read, and what is said of folders that are not whole."""

from __future__ import annotations

import json
import shutil

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from tunebook.data.sources import arrow
from tunebook.data.sources.base import LoadContext
from tunebook.errors import DataError, DataFileMissing

FEATURES = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})


@pytest.fixture
def saved(tmp_path):
    """A DatasetDict of 6 training rows in two files, and 2 rows of a split `dev`."""
    train = Dataset.from_dict({"text": list("abcdef"), "label": [0, 1] * 3}, features=FEATURES)
    dev = Dataset.from_dict({"text": ["x", "y"], "label": [1, 0]}, features=FEATURES)
    folder = tmp_path / "mine"
    DatasetDict(train=train, dev=dev).save_to_disk(folder, num_shards={"train": 2, "dev": 1})
    return folder


def context(folder, **roles):
    return LoadContext(roles=roles or {"text": "text", "label": "label"}, required=("text", "label"), cwd=folder.parent)


def load(folder, **options):
    return arrow.load(arrow.Options(**options), context(folder))


def refusal(folder, **options) -> str:
    told = arrow.preflight(arrow.Options(**options), context(folder))
    with pytest.raises(DataError) as caught:
        load(folder, **options)
    assert [problem.message for problem in told] == [problem.message for problem in caught.value.problems]
    return str(caught.value)


def test_all_splits_of_a_folder(saved):
    splits = load(saved, path="mine", splits={"train": "train", "validation": "dev"})
    assert splits["train"]["text"][:] == list("abcdef")
    assert splits["validation"].to_list() == [{"text": "x", "label": 1}, {"text": "y", "label": 0}]
    assert splits["train"].features["label"].names == ["no", "yes"]
    assert load(saved, path="mine").num_rows == {"train": 6}
    assert arrow.place(arrow.Options(path="a/mine", splits={"test": "dev"}), "test") == "mine/dev"


def test_a_folder_for_each_split(saved):
    assert load(saved, train="mine/train", test="mine/dev").num_rows == {"train": 6, "test": 2}
    assert load(saved, path="mine/train").num_rows == {"train": 6}


def test_columns_are_known_before_anything_is_loaded(saved):
    wrong = context(saved, text="txt", label="label")
    (problem,) = arrow.preflight(arrow.Options(path="mine"), wrong)
    assert problem.message == "no such column in mine/train; it has: text, label; did you mean text?"


def test_a_missing_file_of_two(saved):
    (saved / "train" / "data-00001-of-00002.arrow").unlink()
    assert "train/data-00001-of-00002.arrow   is missing; state.json names 2 files" in refusal(saved, path="mine")


def test_a_file_that_ends_behind_a_batch(saved):
    """Arrow itself reads it without a word, as far as it goes."""
    file = saved / "train" / "data-00000-of-00002.arrow"
    file.write_bytes(file.read_bytes()[:-8])
    assert "data-00000-of-00002.arrow   is cut short" in refusal(saved, path="mine")


def test_a_damaged_file(saved):
    file = saved / "train" / "data-00000-of-00002.arrow"
    content = file.read_bytes()
    file.write_bytes(b"\x07" * 40 + content[40:])
    with pytest.raises(DataError, match=r"mine/train   is no whole folder of save_to_disk \(cut short or damaged\)"):
        load(saved, path="mine")


@pytest.mark.parametrize("name", ["state.json", "dataset_info.json"])
def test_folders_without_their_papers(saved, name):
    (saved / "train" / name).write_text("{")
    assert f"train/{name}   is damaged" in str(arrow.preflight(arrow.Options(path="mine"), context(saved))[0]).replace(
        "', message='", "   "
    )
    (saved / "train" / name).unlink()
    assert f"train lacks {name}" in refusal(saved, path="mine")


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({}, "give either dataset.path or dataset.train"),
        ({"path": "mine", "train": "mine/train"}, "give either dataset.path or dataset.train"),
        ({"test": "mine/dev"}, "must be given with"),
        ({"path": "mien"}, "did you mean mine?"),
        ({"path": "mine", "splits": {"train": "trian"}}, "mine has no split 'trian'; did you mean train?"),
        ({"path": "mine", "splits": {"dev": "dev"}}, "unknown split; allowed: test, train, validation"),
        ({"path": "mine/train", "splits": {"train": "train"}}, "one Dataset without splits"),
        ({"train": "mine"}, "holds several splits; give it as dataset.path"),
        ({"train": "mine/train", "splits": {"train": "train"}}, "with dataset.train take it out"),
        ({"path": "empty"}, "empty lacks dataset_info.json and state.json"),
    ],
)
def test_refuses(saved, options, part):
    (saved.parent / "empty").mkdir()
    assert part in refusal(saved, **options)


def test_missing_folders_are_missing_files(saved):
    with pytest.raises(DataFileMissing):
        load(saved, path="mien")


def test_no_split_of_our_names(saved):
    shutil.rmtree(saved / "train")
    (saved / "dataset_dict.json").write_text(json.dumps({"splits": ["dev"]}))
    assert "must be given; mine has: dev" in refusal(saved, path="mine")


def test_no_rows(saved):
    Dataset.from_dict({"text": [], "label": []}, features=FEATURES).save_to_disk(saved / "none")
    with pytest.raises(DataError, match="names no Arrow files: it has no rows"):
        load(saved, train="mine/none")
