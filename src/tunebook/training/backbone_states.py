"""Finds the states of a run's splits on disk, or computes them, each process its share; knows parts and processes."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from accelerate.utils.memory import should_reduce_batch_size

from tunebook.models.cache import cache_keys
from tunebook.models.cache.cache_store import CacheStore
from tunebook.models.cache.computing import StateComputer, write_states
from tunebook.models.cache.not_cacheable import NotCacheable
from tunebook.models.cache.states_file import DamagedStates, StatesLayout, StatesReader, StatesWriter
from tunebook.training.processes import Processes

if TYPE_CHECKING:
    from tunebook.training.build import Parts

logger = logging.getLogger("tunebook")
FOLDER = "backbone-cache"
Found = TypeVar("Found")


def folder_of(said: str | None) -> Path:
    """Where states lie: as `runtime.cache_dir` says, else in `TUNEBOOK_CACHE`, else in the home folder."""
    if said is not None:
        return Path(said).expanduser()
    return Path(os.environ.get("TUNEBOOK_CACHE") or "~/.cache/tunebook").expanduser() / FOLDER


def agreed(processes: Processes, work: Callable[[], Found], failing: str = "rows cannot be read") -> Found:
    """What every process finds by itself; whatever stops one of them stops all, so that none waits for another.

    Args:
        processes: that work.
        work: of each.
        failing: what it means when the disk refuses.

    Raises:
        NotCacheable: one of them refuses, or meets a limit of its machine.
        RuntimeError: there was a bug in another process; in that one it is raised as it is.
    """
    found, bug, told = None, None, ("", "")
    try:
        found = work()
    except Exception as error:
        reason = _limit(error, failing)
        bug = None if reason else error
        told = (reason, "" if reason else repr(error))
    everyone = processes.gather([told])
    if bug is not None:
        raise bug
    if bugs := [text for _, text in everyone if text]:
        raise RuntimeError(f"another process failed at the frozen-backbone cache: {bugs[0]}")
    if reasons := [text for text, _ in everyone if text]:
        raise NotCacheable(reasons[0])
    return found  # type: ignore[return-value]


def from_main(processes: Processes, work: Callable[[], Found], failing: str) -> Found:
    """What the main process finds, in every process. Arguments and what is raised: as `agreed`."""
    return processes.from_main(agreed(processes, lambda: work() if processes.main else None, failing))


def _limit(error: Exception, failing: str) -> str:
    """Why an error is no bug: a refusal, or a disk or memory that gives no more; empty where it is one."""
    if isinstance(error, NotCacheable):
        return str(error)
    if isinstance(error, OSError):
        return f"{failing} ({error.strerror or error})"
    # By its message: on a processor, memory that runs out is a RuntimeError like any other.
    if should_reduce_batch_size(error):
        return "memory does not suffice to compute the states; a smaller runtime.per_device_eval_batch_size may do"
    return ""


class States:
    """The states of every split of a run; they are in use, and stay on disk, as long as this is.

    Args:
        parts: of the run.
        computing: how states are computed.
        layouts: split -> how its states lie in their file.
        folder: of all entries, on a file system that the processes share.
        bound: bytes that all entries may take.
        processes: that compute together.
    """

    def __init__(
        self,
        parts: Parts,
        computing: StateComputer,
        layouts: dict[str, StatesLayout],
        folder: Path,
        bound: float,
        processes: Processes,
    ) -> None:
        self.parts, self.computing, self.layouts = parts, computing, layouts
        self.folder, self.bound, self.processes = folder, bound, processes
        self.failing = f"states cannot be kept in {folder}"
        self.cache_store: CacheStore | None = None
        self.found: dict[str, StatesReader] = {}

    def get(self, reads: int) -> dict[str, StatesReader]:
        """Split -> its states, computed where they are not there.

        Args:
            reads: training rows that the whole run reads, each as often as it is read.

        Raises:
            NotCacheable: they cannot be kept, or are not worth it.
        """
        began = time.monotonic()
        names, missing = self._from_main(lambda: self._looked_for(reads))
        if missing and self.processes.main:
            rows = sum(self.layouts[split].rows for split in missing)
            logger.info("frozen-backbone cache: computing the states of %s rows once", f"{rows:,}")
        for split in missing:
            self._compute(split, names[split])
        agreed(self.processes, lambda: self._open(names), self.failing)
        if self.processes.main:
            self._tell(missing, time.monotonic() - began)
        return self.found

    def close(self) -> None:
        """They are in use no more."""
        if self.cache_store is not None:
            self.cache_store.close()

    def _looked_for(self, reads: int) -> tuple[dict[str, str], list[str]]:
        """The name of every split's entry, and the splits that have none; by the main process."""
        self.cache_store = CacheStore(self.folder, self.bound)
        names = self._names()
        for split, name in names.items():
            path = self.cache_store.acquire(name)
            try:
                if path is not None:
                    self.found[split] = StatesReader.opened(path)
            except DamagedStates as damage:
                logger.warning("the states in %s are damaged (%s): they are computed anew", path, damage)
                self.cache_store.drop(name)
        missing = [split for split in names if split not in self.found]
        if missing:
            rows = self.layouts["train"].rows
            if reads < rows:
                raise NotCacheable(f"training reads {reads:,} of its {rows:,} rows once, and ends")
            needed = sum(self.layouts[split].bytes for split in missing)
            self.cache_store.make_room(needed, sum(layout.bytes for layout in self.layouts.values()))
        return names, missing

    def _open(self, names: dict[str, str]) -> None:
        for split, name in names.items():
            try:
                if split not in self.found:
                    self.found[split] = StatesReader.opened(self.folder / name, check=False)
            except DamagedStates as damage:
                raise NotCacheable(f"another process has changed {self.folder} ({damage})") from damage

    def _names(self) -> dict[str, str]:
        parts, computing = self.parts, self.computing
        about = {
            "arithmetic": str(computing.dtype),
            "device": computing.device.type,
            "states": str(self.layouts["train"].dtype),
        }
        backbone = cache_keys.backbone_key(parts.model, computing.boundary, parts.freezing.ever, about)
        return {
            name: cache_keys.split_key(backbone, split, computing.names, parts.processor)
            for name, split in parts.splits.items()
        }

    def _compute(self, split: str, name: str) -> None:
        processes = self.processes
        with contextlib.ExitStack() as drafting:  # the main process's; the others find it empty
            folder = self._from_main(lambda: drafting.enter_context(self._own().writing(name)))
            draft = StatesWriter(folder, self.layouts[split])
            self._from_main(draft.begin)
            share, title = (processes.rank, processes.count), f"Frozen backbone, {split}"
            work = partial(write_states, draft, self.parts.splits[split], self.computing, share, title)
            agreed(processes, work, self.failing)
            self._from_main(lambda: draft.finish({"split": split, "boundary": self.computing.boundary.module}))
            self._from_main(drafting.close)
        self._from_main(lambda: self._own().acquire(name))

    def _from_main(self, work: Callable[[], Found]) -> Found:
        return from_main(self.processes, work, self.failing)

    def _own(self) -> CacheStore:
        """Of the main process, which opens it first of all."""
        if self.cache_store is None:
            raise RuntimeError("the cache_store is opened by the main process alone, in _looked_for")
        return self.cache_store

    def _tell(self, missing: list[str], seconds: float) -> None:
        boundary = self.computing.boundary
        there = len(self.parts.freezing.depth.layer_modules)
        frozen = f"{len(boundary.layers)} of {there} layers stay" if there else "the backbone stays"
        reused = [split for split in self.layouts if split not in missing]
        how = [f"{', '.join(missing)} computed in {seconds:.1f} s"] if missing else []
        how += [f"{', '.join(reused)} there already"] if reused else []
        logger.info(
            "frozen-backbone cache: on. %s frozen, so training runs from %s on; %s rows, %.3g MB (%s) in %s",
            frozen,
            boundary.module,
            f"{sum(layout.rows for layout in self.layouts.values()):,}",
            sum(layout.bytes for layout in self.layouts.values()) / 1e6,
            "; ".join(how),
            self.folder,
        )
