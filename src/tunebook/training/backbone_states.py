"""Reads the states of a run's splits from disk, or computes them, each process its share. Knows no Trainer."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from accelerate.utils.memory import should_reduce_batch_size

from tunebook.models.cache import cache_keys
from tunebook.models.cache.cache_store import CacheStore
from tunebook.models.cache.computing import StateComputer, write_states
from tunebook.models.cache.not_cacheable import NotCacheable
from tunebook.models.cache.states_file import DamagedStates, StatesLayout, StatesReader, StatesWriter
from tunebook.training.processes import Processes

if TYPE_CHECKING:
    from tunebook.context import RunContext

logger = logging.getLogger("tunebook")
FOLDER = "backbone-cache"
Value = TypeVar("Value")


def cache_folder(configured: str | None) -> Path:
    """Where states are stored: `runtime.cache_dir`, else in `TUNEBOOK_CACHE`, else in the home folder."""
    if configured is not None:
        return Path(configured).expanduser()
    return Path(os.environ.get("TUNEBOOK_CACHE") or "~/.cache/tunebook").expanduser() / FOLDER


def run_on_all(processes: Processes, work: Callable[[], Value], failing: str = "rows cannot be read") -> Value:
    """Run something in every process, each with its own result; an error in one stops all, so that none waits for it.

    Raises:
        NotCacheable: one of them refuses, or reaches a limit of its machine.
        RuntimeError: there was a bug in another process; in that one it is raised unchanged.
    """
    value, bug, report = None, None, ("", "")
    try:
        value = work()
    except Exception as error:
        reason = _limit(error, failing)
        bug = None if reason else error
        report = (reason, "" if reason else repr(error))
    reports = processes.gather([report])
    if bug is not None:
        raise bug
    if bugs := [text for _, text in reports if text]:
        raise RuntimeError(f"another process failed at the frozen-backbone cache: {bugs[0]}")
    if reasons := [text for text, _ in reports if text]:
        raise NotCacheable(reasons[0])
    return value  # type: ignore[return-value]


def _limit(error: Exception, failing: str) -> str:
    """Why an error is no bug: a refusal, or a disk or memory that is full; empty where it is one."""
    if isinstance(error, NotCacheable):
        return str(error)
    if isinstance(error, OSError):
        return f"{failing} ({error.strerror or error})"
    # By its message: on a processor, memory that runs out is a RuntimeError like any other.
    if should_reduce_batch_size(error):
        return "memory does not suffice to compute the states; a smaller runtime.per_device_eval_batch_size may do"
    return ""


class States:
    """The states of every split of a run; nothing deletes them from disk before `close`."""

    def __init__(
        self,
        context: RunContext,
        computing: StateComputer,
        layouts: dict[str, StatesLayout],
        folder: Path,
        bound: float,
    ) -> None:
        self.context, self.computing, self.layouts = context, computing, layouts
        self.folder, self.bound, self.processes = folder, bound, context.processes
        self.failing = f"states cannot be stored in {folder}"
        self.cache_store: CacheStore | None = None
        self.stored: dict[str, StatesReader] = {}

    def get(self, reads: int) -> dict[str, StatesReader]:
        """Split -> its states, computed where they are missing.

        Raises:
            NotCacheable: they cannot be stored, or are not worth it.
        """
        began = time.monotonic()
        names, missing = self._from_main(lambda: self._look_up(reads))
        if missing and self.processes.main:
            rows = sum(self.layouts[split].rows for split in missing)
            logger.info("frozen-backbone cache: computing the states of %s rows once", f"{rows:,}")
        for split in missing:
            self._compute(split, names[split])
        run_on_all(self.processes, lambda: self._open(names), self.failing)
        if self.processes.main:
            self._log(missing, time.monotonic() - began)
        return self.stored

    def close(self) -> None:
        """The states are not used any more; others may delete them."""
        if self.cache_store is not None:
            self.cache_store.close()

    def _look_up(self, reads: int) -> tuple[dict[str, str], list[str]]:
        """The name of every split's entry, and the splits that have none; by the main process."""
        self.cache_store = CacheStore(self.folder, self.bound)
        names = self._names()
        for split, name in names.items():
            path = self.cache_store.acquire(name)
            try:
                if path is not None:
                    self.stored[split] = StatesReader.opened(path)
            except DamagedStates as damage:
                logger.warning("the states in %s are damaged (%s): they are computed again", path, damage)
                self.cache_store.drop(name)
        missing = [split for split in names if split not in self.stored]
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
                if split not in self.stored:
                    self.stored[split] = StatesReader.opened(self.folder / name, check=False)
            except DamagedStates as damage:
                raise NotCacheable(f"another process has changed {self.folder} ({damage})") from damage

    def _names(self) -> dict[str, str]:
        context, computing = self.context, self.computing
        about = {
            "arithmetic": str(computing.dtype),
            "device": computing.device.type,
            "states": str(self.layouts["train"].dtype),
        }
        backbone = cache_keys.backbone_key(context.model, computing.boundary, context.freezing.ever, about)
        return {
            name: cache_keys.split_key(backbone, split, computing.names, context.processor)
            for name, split in context.encoded.items()
        }

    def _compute(self, split: str, name: str) -> None:
        processes, store = self.processes, cast(CacheStore, self.cache_store)  # the main process's, which alone uses it
        with contextlib.ExitStack() as drafting:  # the main process's; the others find it empty
            folder = self._from_main(lambda: drafting.enter_context(store.writing(name)))
            draft = StatesWriter(folder, self.layouts[split])
            self._from_main(draft.begin)
            share, title = (processes.rank, processes.count), f"Frozen backbone, {split}"
            work = partial(write_states, draft, self.context.encoded[split], self.computing, share, title)
            run_on_all(processes, work, self.failing)
            self._from_main(lambda: draft.finish({"split": split, "boundary": self.computing.boundary.module}))
            self._from_main(drafting.close)
        self._from_main(lambda: store.acquire(name))

    def _from_main(self, work: Callable[[], Value]) -> Value:
        """The main process's result, in every process."""
        own = run_on_all(self.processes, lambda: work() if self.processes.main else None, self.failing)
        return self.processes.from_main(own)

    def _log(self, missing: list[str], seconds: float) -> None:
        boundary = self.computing.boundary
        layers = len(self.context.freezing.depth.layer_modules)
        frozen = f"{len(boundary.layers)} of {layers} layers stay" if layers else "the backbone stays"
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
