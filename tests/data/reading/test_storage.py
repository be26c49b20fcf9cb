"""Tables of the cache: keyed by content, whole or not there, and a cache that cannot be written is reported."""

from __future__ import annotations

import os

import numpy as np
import pyarrow
import pytest

from tunebook.data.reading import storage
from tunebook.data.sources import files
from tunebook.data.sources.base import LoadContext
from tunebook.errors import DataError

CSV = "text,label\nfine,1\nbad,0\n"
CONTEXT = {"roles": {"text": "text", "label": "label"}, "required": ("text", "label")}


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setattr(storage, "SMALL", -1)
    monkeypatch.setattr(storage, "SMALL_ARRAY", -1)
    monkeypatch.setenv("TUNEBOOK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "rows"


@pytest.fixture
def load(tmp_path):
    def run(**options):
        context = LoadContext(**CONTEXT, cwd=tmp_path)
        return files.load(files.Options(train="a.csv", **options), context)["train"]

    return run


def test_rows_are_mapped_from_one_file_of_the_cache(load, write, cache):
    write("a.csv", CSV)
    rows = load()
    [file] = cache.iterdir()
    assert rows.cache_files == [{"filename": str(file)}]
    before = file.stat().st_mtime_ns
    assert load().to_list() == rows.to_list() == [{"text": "fine", "label": 1}, {"text": "bad", "label": 0}]
    assert file.stat().st_mtime_ns == before


def test_changed_content_and_other_options_are_seen(load, write, cache):
    file = write("a.csv", CSV)
    times = file.stat()
    load()
    write("a.csv", CSV.replace("fine", "good"))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # neither size nor time tells
    assert load()["text"][:] == ["good", "bad"]
    assert load(quoting="none")["text"][:] == ["good", "bad"]
    assert len(list(cache.iterdir())) == 3


def test_a_file_that_is_cut_short_is_written_again(load, write, cache):
    write("a.csv", CSV)
    load()
    [file] = cache.iterdir()
    os.truncate(file, file.stat().st_size - 8)
    assert len(load()) == 2


def test_nothing_is_left_of_files_that_are_refused(load, write, cache):
    write("a.csv", CSV + "one cell\n")
    with pytest.raises(DataError, match="line 4"):
        load()
    assert list(cache.iterdir()) == []


def test_a_guess_is_logged_for_cached_rows_too(load, write, caplog):
    write("a.csv", CSV.replace("fine", "caf\xe9").encode("latin-1"))
    for _ in range(2):
        caplog.clear()
        load()
        assert "cp1252" in caplog.text


def test_a_cache_that_cannot_be_written(load, write, tmp_path):
    write("a.csv", CSV)
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(DataError) as caught:
        load()
    assert [problem.key for problem in caught.value.problems] == ["TUNEBOOK_CACHE"]


def test_a_disk_that_is_full(load, write, monkeypatch, cache):
    class Full:
        def __init__(self, *given):
            raise OSError(28, "No space left on device")

    write("a.csv", CSV)
    monkeypatch.setattr(pyarrow, "OSFile", Full)
    with pytest.raises(DataError, match="No space left on device"):
        load()
    assert list(cache.iterdir()) == []


def test_large_scratch_arrays_are_files_without_a_name(cache):
    array = storage.scratch_array((3, 4), np.dtype(np.uint32))
    array[:] = 7
    assert isinstance(array, np.memmap)
    assert array.sum() == 84
    assert list(cache.iterdir()) == []
