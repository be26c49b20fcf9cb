"""A folder of entries with a size limit: the least recently used ones are deleted, never one that a run is using.

Several runs may use it at once. Knows names and sizes of entries, not what they hold.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import uuid
import weakref
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from tunebook.models.cache.not_cacheable import NotCacheable
from tunebook.models.cache.states_file import MANIFEST

GB = 1e9
SPARE = 0.2 * GB
"""Bytes of the disk that are left to others."""


class CacheStore:
    """Entries are folders named by their keys; a name with a leading dot is being written, or is a lock.

    All entries may take `bound` bytes. `close` releases them; it is also called when the object is deleted.

    Raises:
        NotCacheable: the folder cannot be made.
    """

    def __init__(self, folder: Path, bound: float) -> None:
        self.folder, self.bound = folder, bound
        self._me = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._held: dict[str, FileLock] = {}
        # Also without a call: other processes would have to delete the locks of a process that has ended.
        self.close = weakref.finalize(self, _release_all, self._held)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(folder / ".lock")
            with self._lock:
                self._sweep()
        except OSError as error:
            raise NotCacheable(f"{folder} cannot be written ({error.strerror}); set runtime.cache_dir") from error

    def path(self, key: str) -> Path:
        """Of an entry, whether it exists or not."""
        return self.folder / key

    def acquire(self, key: str) -> Path | None:
        """The folder of an entry, which is in use by this process until `close`; None: there is no such entry."""
        with self._lock:
            manifest = self.path(key) / MANIFEST
            if not manifest.is_file():
                return None
            with contextlib.suppress(PermissionError):  # of another user: it is deleted sooner
                os.utime(manifest)
            if key not in self._held:
                lock = FileLock(self.folder / f".{key}.used-by-{self._me}")
                lock.acquire(timeout=0)
                self._held[key] = lock
            return self.path(key)

    def drop(self, key: str) -> None:
        """Delete a damaged entry, also one in use."""
        with self._lock:
            _release(self._held, key)
            self._delete(self.path(key))

    def make_room(self, needed: int, total: int) -> None:
        """Delete the least recently used entries until `needed` bytes fit; all entries of the run take `total` bytes.

        Raises:
            NotCacheable: there is not enough room.
        """
        states = f"the states take {total / GB:.3g} GB"
        if total > self.bound:
            raise NotCacheable(f"{states}, more than runtime.cache_gb={self.bound / GB:g}")
        with self._lock:
            entries = sorted((self._used(path), path) for path in self.folder.iterdir() if path.is_dir())
            taken = sum(_bytes(path) for _, path in entries)
            for _, path in entries:
                if taken + needed <= self.bound:
                    break
                if not path.name.startswith(".") and not self._in_use(path.name):
                    taken -= _bytes(path)
                    self._delete(path)
            if taken + needed > self.bound:
                raise NotCacheable(f"{states}, and other runs are using runtime.cache_gb={self.bound / GB:g}")
            free = shutil.disk_usage(self.folder).free
            if free < needed + SPARE:
                raise NotCacheable(f"{states}, and the disk of {self.folder} has {free / GB:.3g} GB free")

    @contextlib.contextmanager
    def writing(self, key: str) -> Iterator[Path]:
        """A folder that becomes the entry when the block ends without an error, and is deleted otherwise.

        If another process has finished the same entry before, its entry stays.
        """
        aside = self.folder / f".{key}.{self._me}"
        with FileLock(f"{aside}.lock"):
            try:
                aside.mkdir()
                yield aside
                with self._lock:
                    if not (self.path(key) / MANIFEST).is_file():
                        self._delete(self.path(key))  # left by a process that was killed
                        aside.rename(self.path(key))
            finally:
                shutil.rmtree(aside, ignore_errors=True)
                Path(f"{aside}.lock").unlink(missing_ok=True)

    def _in_use(self, key: str) -> bool:
        return any(not _free(mark) for mark in self.folder.glob(f".{key}.used-by-*"))

    def _sweep(self) -> None:
        """Delete what killed processes have left."""
        for lock in [*self.folder.glob(".*.lock"), *self.folder.glob(".*.used-by-*")]:
            if _free(lock):
                shutil.rmtree(self.folder / lock.name.removesuffix(".lock"), ignore_errors=True)

    def _used(self, path: Path) -> float:
        manifest = path / MANIFEST
        return manifest.stat().st_mtime if manifest.exists() else 0.0

    def _delete(self, path: Path) -> None:
        # The manifest first: a folder without it is no entry.
        (path / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(path, ignore_errors=True)


def _release(held: dict[str, FileLock], key: str) -> None:
    if lock := held.pop(key, None):
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _release_all(held: dict[str, FileLock]) -> None:
    for key in list(held):
        _release(held, key)


def _free(lock: Path) -> bool:
    """Whether no living process holds a lock; it is deleted then."""
    try:
        with FileLock(lock, timeout=0):
            lock.unlink(missing_ok=True)
    except Timeout:
        return False
    return True


def _bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in path.glob("*") if file.is_file())
