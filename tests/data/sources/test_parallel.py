import gzip

import pytest

from tunebook.data.sources import parallel
from tunebook.data.sources.base import LoadContext
from tunebook.data.sources.parallel import Options
from tunebook.errors import DataError, DataFileMissing

ROLES = {"text": "text", "target": "target"}


def pair(folder, text=b"one\ntwo\n", target=b"eins\nzwei\n", name="train"):
    (folder / f"{name}.en").write_bytes(text)
    (folder / f"{name}.de").write_bytes(target)
    return {"text": f"{name}.en", "target": f"{name}.de"}


def load(folder, **options):
    return parallel.load(Options(**options), LoadContext(ROLES, tuple(ROLES), folder))


def test_line_n_belongs_to_line_n(tmp_path):
    splits = load(tmp_path, train=pair(tmp_path), test=pair(tmp_path, b"a", b"b", "test"))
    assert splits["train"][:] == {"text": ["one", "two"], "target": ["eins", "zwei"]}
    assert splits["test"][:] == {"text": ["a"], "target": ["b"]}
    assert parallel.given_splits(Options(train=pair(tmp_path))) == {"train"}


def test_compressed_files_are_read_as_they_are(tmp_path):
    (tmp_path / "a.en.gz").write_bytes(gzip.compress("größer\r\nx\u2028y\n".encode()))
    (tmp_path / "a.de.gz").write_bytes(gzip.compress("\ufeffone\ntwo\n".encode()))
    rows = load(tmp_path, train={"text": "a.en.gz", "target": "a.de.gz"})["train"]
    assert rows[:] == {"text": ["größer", "x\u2028y"], "target": ["one", "two"]}


def test_many_lines_come_in_order(tmp_path):
    lines = [str(number) for number in range(12_345)]
    content = "\n".join(lines).encode()
    rows = load(tmp_path, train=pair(tmp_path, content, content))["train"]
    assert rows["target"][:] == lines


@pytest.mark.parametrize("extra", [1, 7_000])
def test_different_numbers_of_lines_are_refused_with_both(tmp_path, extra):
    with pytest.raises(DataError) as caught:
        load(tmp_path, train=pair(tmp_path, target=b"x\n" * (2 + extra)))
    (problem,) = caught.value.problems
    assert problem.key == "dataset.train"
    assert "train.en has 2 lines" in problem.message
    assert f"train.de has {2 + extra:,} lines" in problem.message


def test_missing_files_are_reported_by_preflight_and_load(tmp_path):
    options = Options(train={"text": "train.en", "target": "no.de"}, test=pair(tmp_path, name="test"))
    pair(tmp_path)
    found = parallel.preflight(options, LoadContext(ROLES, tuple(ROLES), tmp_path))
    assert [problem.key for problem in found] == ["dataset.train.target"]
    with pytest.raises(DataFileMissing):
        parallel.load(options, LoadContext(ROLES, tuple(ROLES), tmp_path))


def test_columns_that_such_rows_lack_are_reported(tmp_path):
    context = LoadContext({"text": "text", "label": "label"}, ("text", "label"), tmp_path)
    found = parallel.preflight(Options(train=pair(tmp_path)), context)
    assert [problem.key for problem in found] == ["dataset.columns.label='label'"]


def test_encodings_are_guessed_or_stated(tmp_path):
    files = pair(tmp_path, "größer\nüber\n".encode("cp1252"))
    assert load(tmp_path, train=files)["train"]["text"][:] == ["größer", "über"]
    with pytest.raises(DataError) as caught:
        load(tmp_path, train=files, encoding="utf-8")
    assert caught.value.problems[0].key == "train.en"


@pytest.mark.parametrize(("text", "target"), [(b"", b""), (b"a\0b\n", b"c\n")])
def test_empty_files_and_bytes_that_are_no_text_are_refused(tmp_path, text, target):
    with pytest.raises(DataError):
        load(tmp_path, train=pair(tmp_path, text, target))
