"""What is told before anything slow is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.data.small_tasks import TEXT
from tunebook.data.preflight import problems


def keys_and_messages(config, folder):
    return [(problem.key, problem.message) for problem in problems(config, TEXT, folder)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("train.csv", "id,body,stars\n1,fine,5\n"),
        ("train.tsv", "id\tbody\tstars\n1\tfine\t5\n"),
        ("train.jsonl", '{"id": 1, "body": "fine", "stars": 5}\n{}\n'),
    ],
)
def test_wrong_columns(tmp_path, write, configured, name, content):
    write(name, content)
    config = configured("files", {"train": name}, columns={"text": "bodi", "label": "stars"})
    assert keys_and_messages(config, tmp_path) == [
        ("dataset.columns.text='bodi'", f"no such column in {name}; it has: id, body, stars; did you mean body?")
    ]
    right = configured("files", {"train": name}, columns={"text": "body", "label": "stars"})
    assert keys_and_messages(right, tmp_path) == []


def test_optional_role_is_looked_for_only_when_named(tmp_path, write, configured):
    write("a.csv", "text,label\nx,1\n")
    assert keys_and_messages(configured("files", {"train": "a.csv"}), tmp_path) == []
    named = configured("files", {"train": "a.csv"}, columns={"text_pair": "other"})
    assert [key for key, _ in keys_and_messages(named, tmp_path)] == ["dataset.columns.text_pair='other'"]


def test_files_shares_and_columns_at_once(tmp_path, write, configured):
    write("a.csv", "text,label\nx,1\n")
    config = configured(
        "files",
        {"train": "b.csv", "validation": "a.csv"},
        columns={"text": "label"},
        split={"validation": 0.5, "test": 0.5},
    )
    found = dict(keys_and_messages(config, tmp_path))
    assert set(found) == {"dataset.train", "dataset.split", "dataset.split.validation", "dataset.columns.label='label'"}
    assert "did you mean a.csv?" in found["dataset.train"]
    assert "sum must be below 1" in found["dataset.split"]
    assert "the source gives it" in found["dataset.split.validation"]


@pytest.mark.parametrize(
    ("content", "key", "part"),
    [
        (
            "text;label\na;1\n",
            "dataset.delimiter",
            "a.csv seems to separate its cells by ';'; say \"dataset.delimiter=';'\"",
        ),
        (
            "id;message\na;1\n",
            "dataset.delimiter",
            "a.csv seems to separate its cells by ';'; say \"dataset.delimiter=';'\"",
        ),
        (
            "text\tlabel\na\t1\n",
            "dataset.delimiter",
            r"a.csv seems to separate its cells by '\t'; say dataset.format=tsv",
        ),
    ],
)
def test_another_delimiter_is_the_one_thing_to_say(tmp_path, write, configured, content, key, part):
    write("a.csv", content)
    assert keys_and_messages(configured("files", {"train": "a.csv"}), tmp_path) == [(key, part)]


def test_none_of_the_columns_for_want_of_a_header(tmp_path, write, configured):
    write("a.csv", "good film,1\nbad film,0\n")
    found = keys_and_messages(configured("files", {"train": "a.csv"}), tmp_path)
    assert [key for key, _ in found] == [
        "dataset.columns.text='text'", "dataset.columns.label='label'", "dataset.column_names"
    ]  # fmt: skip
    assert "has no header line" in found[2][1]


def test_a_json_line_longer_than_what_is_looked_at(tmp_path, write, configured):
    write("a.jsonl", '{"text": "' + "x" * 2**20 + '", "label": 1}\n')
    assert keys_and_messages(configured("files", {"train": "a.jsonl"}), tmp_path) == []


def test_a_character_on_the_border_of_what_is_looked_at(tmp_path, write, configured):
    write("a.csv", b"text,label\n" + b"x" * (2**20 - 12) + "é,1\n".encode() + b"y,0\n" * 5)
    assert keys_and_messages(configured("files", {"train": "a.csv"}), tmp_path) == []


def test_shipped_reviews_have_their_splits(configured):
    config = configured("reviews", split={"test": 0.1})
    assert [problem.key for problem in problems(config, TEXT)] == ["dataset.split.test"]


@pytest.mark.parametrize("source", ["files", "hub", "image_folder", "image_files", "arrow", "digits", "reviews"])
def test_nothing_slow_is_imported(source):
    code = (
        "import sys; from tunebook.config import registry; from tunebook.data import preflight;"
        f"registry.load('source', {source!r}).Options;"
        "slow = {'torch', 'transformers', 'datasets', 'pandas', 'sklearn', 'pyarrow'} & set(sys.modules);"
        "sys.exit(str(slow) if slow else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
