"""The folder of entries keeps its bound, what is in use, and nothing that is half written."""

import multiprocessing
import os
import shutil
import time

import pytest

from tunebook.models.cache import cache_store as module
from tunebook.models.cache.cache_store import CacheStore
from tunebook.models.cache.not_cacheable import NotCacheable
from tunebook.models.cache.states_file import MANIFEST


def put(cache_store, key, size=100, age=0):
    with cache_store.writing(key) as folder:
        (folder / "states.bin").write_bytes(b"x" * (size - 2))
        (folder / MANIFEST).write_text("{}")
    used = time.time() - age
    os.utime(cache_store.path(key) / MANIFEST, (used, used))


def entries(cache_store):
    return sorted(path.name for path in cache_store.folder.iterdir() if not path.name.startswith("."))


@pytest.fixture(autouse=True)
def _spare(monkeypatch):
    monkeypatch.setattr(module, "SPARE", 0)


def test_what_was_not_used_for_longest_goes_first(tmp_path):
    cache_store = CacheStore(tmp_path, 350)
    for age, key in enumerate(["new", "middle", "old"]):
        put(cache_store, key, age=age)
    assert CacheStore(tmp_path, 350).acquire("old") is not None  # used now, by a cache_store that is gone again
    cache_store.make_room(100, 100)
    assert entries(cache_store) == ["new", "old"]
    cache_store.make_room(250, 250)
    assert entries(cache_store) == ["old"]


def test_what_a_run_uses_stays(tmp_path):
    one, other = CacheStore(tmp_path, 350), CacheStore(tmp_path, 350)
    put(one, "a", age=2), put(one, "b", age=1)
    one.acquire("a")
    other.make_room(200, 200)
    assert entries(one) == ["a"]
    with pytest.raises(NotCacheable, match=r"other runs are using runtime\.cache_gb"):
        other.make_room(300, 300)
    one.close()
    other.make_room(300, 300)
    assert entries(one) == []


def test_more_than_the_bound_is_refused_before_anything_is_deleted(tmp_path):
    cache_store = CacheStore(tmp_path, 350)
    put(cache_store, "a")
    with pytest.raises(NotCacheable, match=r"take 3.6e-07 GB, more than runtime\.cache_gb=3.5e-07"):
        cache_store.make_room(260, 360)
    assert entries(cache_store) == ["a"]


def test_a_disk_that_is_nearly_full_is_not_filled(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(100, 60, 40))
    with pytest.raises(NotCacheable, match="has 4e-08 GB free"):
        CacheStore(tmp_path, 350).make_room(50, 50)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotCacheable, match=r"set runtime\.cache_dir"):
        CacheStore(tmp_path / "file" / "cache", 350)


def write_half(cache_store):
    with cache_store.writing("a") as folder:
        (folder / "states.bin").write_bytes(b"half")
        raise KeyboardInterrupt


def test_what_is_cut_off_leaves_nothing(tmp_path):
    cache_store = CacheStore(tmp_path, 350)
    with pytest.raises(KeyboardInterrupt):
        write_half(cache_store)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    assert cache_store.acquire("a") is None


def kill_while_writing(folder):
    cache_store = CacheStore(folder, 350)
    put(cache_store, "b")
    cache_store.acquire("b")
    with cache_store.writing("a") as aside:
        (aside / "states.bin").write_bytes(b"half")
        os._exit(9)


def test_what_a_killed_process_left_is_swept_up(tmp_path):
    process = multiprocessing.get_context("spawn").Process(target=kill_while_writing, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == 9
    assert len(list(tmp_path.iterdir())) > 3
    cache_store = CacheStore(tmp_path, 350)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "b"]
    cache_store.make_room(300, 300)
    assert entries(cache_store) == []


def test_a_draft_of_a_living_process_is_not_swept_up(tmp_path):
    cache_store = CacheStore(tmp_path, 350)
    with cache_store.writing("a") as folder:
        CacheStore(tmp_path, 350)
        assert folder.is_dir()
        (folder / MANIFEST).write_text("{}")
    assert entries(cache_store) == ["a"]


def test_of_two_that_write_the_same_the_first_stays(tmp_path):
    one, other = CacheStore(tmp_path, 350), CacheStore(tmp_path, 350)
    with one.writing("a") as first:
        (first / MANIFEST).write_text('"first"')
        with other.writing("a") as second:
            assert first != second
            (second / MANIFEST).write_text('"second"')
        assert (one.acquire("a") / MANIFEST).read_text() == '"second"'
    assert (one.acquire("a") / MANIFEST).read_text() == '"second"'
    one.close(), other.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "a"]
