"""One try of a run: its configuration, processes, directory and clock. Knows nothing of data, models or training."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

from tqdm.contrib.logging import logging_redirect_tqdm

from tunebook.config.schema import Config
from tunebook.errors import TunebookError
from tunebook.log import logging_to
from tunebook.run_directory import RunDirectory, opened, path_of
from tunebook.training.processes import Processes


@dataclass(frozen=True)
class Session:
    """What every part of a run may ask; `began` is when this try did, by `time.monotonic`."""

    config: Config
    command: str
    processes: Processes
    directory: RunDirectory
    began: float = field(default_factory=time.monotonic)

    @classmethod
    @contextlib.contextmanager
    def start(cls, config: Config, command: str) -> Iterator[Self]:
        """The session of a run, its directory opened and locked by the main process and known to all, and its log.

        Raises:
            RunDirectoryError: on every process, where the main one cannot open the directory.
        """
        processes = processes_of(config)
        with contextlib.ExitStack() as stack:
            directory, problems = None, None
            try:
                if processes.main:
                    directory = stack.enter_context(opened(config, command, processes.count))
            except TunebookError as error:
                problems = error.problems
                raise
            finally:
                shared = processes.from_main((problems, directory.record if directory else None))
            if shared[0]:
                raise TunebookError(shared[0])
            directory = directory or RunDirectory(path_of(config), shared[1])
            log = stack.enter_context(logging_to(directory.path / "log.txt", processes.main))
            stack.enter_context(logging_redirect_tqdm([log]))
            yield cls(config, command, processes, directory)

    @property
    def seconds(self) -> float:
        """Of this try and of those before it."""
        return float(self.directory.record.get("seconds_before", 0.0)) + time.monotonic() - self.began


def processes_of(config: Config) -> Processes:
    """The processes that a launcher started for a run, or the single one."""
    return Processes(bool(config.runtime.use_cpu), int(config.runtime.ddp_timeout or 1800))
