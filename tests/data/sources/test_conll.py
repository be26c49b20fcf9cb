"""CoNLL files: what is read, and what is said of files that cannot be read."""

from __future__ import annotations

import pytest

from tunebook.data.reading import storage
from tunebook.data.sources import conll
from tunebook.data.sources.base import LoadContext
from tunebook.errors import DataError, DataFileMissing

EXPECTED = [{"tokens": ["Ada", "sleeps"], "tags": ["B-PER", "O"]}, {"tokens": ["Rain"], "tags": ["O"]}]


def load(folder, **options):
    context = LoadContext(roles={"tokens": "tokens", "tags": "tags"}, required=("tokens", "tags"), cwd=folder)
    return conll.load(conll.Options(**options), context)


def rows(folder, content: bytes, **options):
    (folder / "a.conll").write_bytes(content)
    return load(folder, train="a.conll", **options)["train"].to_list()


@pytest.mark.parametrize(
    "content",
    [
        b"Ada\tB-PER\nsleeps\tO\n\nRain\tO\n",
        b"Ada B-PER\nsleeps O\n\nRain O",  # blanks, and no last line end
        b"Ada\tB-PER\r\nsleeps\tO\r\n\r\nRain\tO\r\n",
        b"\xef\xbb\xbfAda\tB-PER\nsleeps\tO\n\nRain\tO\n",
        "Ada\tB-PER\nsleeps\tO\n\nRain\tO\n".encode("utf-16"),
        b"-DOCSTART- -X- O\n\nAda NNP B-PER\nsleeps VBZ O\n\n\n-DOCSTART- -X- O\nRain NN O\n",
        b"\n\t\nAda\tB-PER\nsleeps\tO\n\t\n \nRain\tO\n\n\n",
    ],
    ids=["tabs", "blanks", "crlf", "bom", "utf-16", "documents", "blank lines"],
)
def test_sentences_become_rows_of_lists(tmp_path, content):
    assert rows(tmp_path, content) == EXPECTED


def test_words_that_split_lines_or_cells_elsewhere_stay_whole(tmp_path):
    content = "New York\tB-LOC\nx\u2028y\tO\n\xa0\tO\n#tag\tO\n".encode()
    assert rows(tmp_path, content) == [
        {"tokens": ["New York", "x\u2028y", "\xa0", "#tag"], "tags": ["B-LOC", "O", "O", "O"]}
    ]


def test_comments_are_left_out_where_they_are_named(tmp_path):
    content = b"# id 1\nAda B-PER\nsleeps O\n\n# id 2\nRain O\n"
    assert rows(tmp_path, content, comment="# ") == EXPECTED


def test_columns_by_number_and_by_name(tmp_path):
    content = b"1 Ada NNP B-PER\n2 sleeps VBZ O\n"
    assert rows(tmp_path, content, tokens_column=1, tags_column=2) == [
        {"tokens": ["Ada", "sleeps"], "tags": ["NNP", "VBZ"]}
    ]
    named = rows(tmp_path, content, column_names=["id", "tokens", "pos", "tags"])
    assert named == [{"id": ["1", "2"], "tokens": ["Ada", "sleeps"], "pos": ["NNP", "VBZ"], "tags": ["B-PER", "O"]}]


def test_several_files_are_one_split_and_a_large_one_is_mapped_from_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNEBOOK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(storage, "SMALL", 0)
    monkeypatch.setattr(conll, "CHUNK", 1)
    (tmp_path / "a.conll").write_text("Ada\tB-PER\nsleeps\tO\n")
    (tmp_path / "b.conll").write_text("Rain\tO\n")
    data = load(tmp_path, train=["a.conll", "b.conll"])["train"]
    assert data.to_list() == EXPECTED
    assert data.cache_files


def test_lines_of_another_width_are_refused_with_their_numbers(tmp_path):
    with pytest.raises(DataError) as caught:
        rows(tmp_path, b"Ada\tB-PER\nsleeps\n\nRain\tx\tO\n")
    (problem,) = caught.value.problems
    assert problem.key == "a.conll"
    assert "line 2 (1), 4 (3)" in problem.message


@pytest.mark.parametrize(
    ("content", "options", "key"),
    [
        (b"Ada\nsleeps\n", {}, "a.conll"),
        (b"-DOCSTART- -X- O\n\n", {}, "a.conll"),
        (b"Ada B-PER\n", {"tags_column": 2}, "dataset.tags_column"),
        (b"Ada B-PER\n", {"column_names": ["tokens", "pos", "tags"]}, "dataset.column_names"),
        (b"PK\x03\x04", {}, "a.conll"),
    ],
)
def test_files_that_cannot_be_read_are_refused(tmp_path, content, options, key):
    with pytest.raises(DataError) as caught:
        rows(tmp_path, content, **options)
    assert [problem.key for problem in caught.value.problems] == [key]


def test_a_missing_file_is_told_before_anything_is_read(tmp_path):
    (tmp_path / "train.conll").write_text("Rain\tO\n")
    context = LoadContext(roles={"tokens": "words", "tags": "tags"}, required=("tokens", "tags"), cwd=tmp_path)
    options = conll.Options(train="tran.conll")
    problems = conll.preflight(options, context)
    assert [problem.key for problem in problems] == ["dataset.train", "dataset.columns.tokens='words'"]
    assert "train.conll" in problems[0].message
    with pytest.raises(DataFileMissing):
        conll.load(options, context)
