"""The folder of one run: whether it is new, to be continued or finished, and where everything in it is."""

from __future__ import annotations

import contextlib
import datetime
import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tunebook import files
from tunebook.config import identity
from tunebook.config.schema import Config
from tunebook.errors import RunDirectoryError
from tunebook.reporting.run_record import hardware, versions

_RECORD, _LOCK = "run.json", ".lock"
MOST_CHANGES = 8


@dataclass
class RunDirectory:
    """The paths of a run and its record.

    Args:
        path: of the folder.
        record: the content of run.json.
        replaces: an earlier run is still here, and is deleted only when this one has passed every check.
    """

    path: Path
    record: dict[str, Any] = field(default_factory=dict)
    replaces: bool = False

    @property
    def finished(self) -> bool:
        """Whether the run has ended and everything is written."""
        return self.record.get("status") == "finished"

    @property
    def checkpoints(self) -> Path:
        """The folder of whole checkpoints."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """The finished model and its processor."""
        return self.path / "model"

    def update(self, **facts: Any) -> None:
        """Add facts to the record, and write it whole."""
        self.record |= facts
        if not self.replaces:
            files.write_json(self.path / _RECORD, self.record)

    def begin(self) -> None:
        """Training begins: the run that this one replaces is deleted."""
        if self.replaces:
            _empty(self.path)
            self.replaces = False
            self.update()


def path_of(config: Config) -> Path:
    """The folder of a configuration's run; the same on every rank and every time."""
    return Path(config.run.output_dir).expanduser() / config.run.recipe / identity.run_name(config)


@contextlib.contextmanager
def opened(config: Config, command: str, processes: int) -> Iterator[RunDirectory]:
    """Open or create the run directory, for this process alone.

    Raises:
        RunDirectoryError: another configuration's run has this name, the run is going on elsewhere, the
            folder is not one of a run, or it cannot be written.
    """
    path = path_of(config)
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path / _LOCK)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunDirectoryError(f"{path} is in use: the same run is going on in another process") from error
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror}); set run.output_dir to a folder that can"
        raise RunDirectoryError(message) from error
    try:
        yield _read_or_start(path, config, command, processes)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        message = f"the disk of {path} is full. Free some space and repeat the same command"
        raise RunDirectoryError(message) from error
    finally:
        lock.release()


def _read_or_start(path: Path, config: Config, command: str, processes: int) -> RunDirectory:
    record = path / _RECORD
    if record.exists() and not config.run.overwrite:
        directory = RunDirectory(path, files.read_json(record))
        _require_same(directory, config)
        return directory
    strangers = sorted(entry.name for entry in path.iterdir() if not entry.name.startswith("."))
    if strangers and not record.exists():
        overwrite = ", so run.overwrite=true does not delete it" if config.run.overwrite else ""
        message = (
            f"{path} holds {', '.join(strangers[:5])} but no {_RECORD}: not a run's folder{overwrite}; set run.name"
        )
        raise RunDirectoryError(message)
    directory = RunDirectory(path, replaces=record.exists())
    try:
        directory.update(
            status="running",
            command=command,
            fingerprint=identity.fingerprint(config),
            configuration=identity.content(config),
            started=now(),
            processes=processes,
            working_folder=os.getcwd(),
            versions=versions(),
            hardware=hardware(),
            resumed_from=[],
        )
    except OSError as error:
        raise RunDirectoryError(f"{path} cannot be written ({error.strerror}); set run.output_dir") from error
    return directory


def _require_same(directory: RunDirectory, config: Config) -> None:
    if directory.record.get("fingerprint") == identity.fingerprint(config):
        return
    changed = identity.differences(directory.record.get("configuration", {}), identity.content(config))
    more = f"; {len(changed) - MOST_CHANGES} more" if len(changed) > MOST_CHANGES else ""
    raise RunDirectoryError(
        f"{directory.path} was made with another configuration ({'; '.join(changed[:MOST_CHANGES])}{more}). "
        "Give this run another run.name, or run.overwrite=true to delete that one"
    )


def _empty(path: Path) -> None:
    """Delete a run but for lock and log, which this process holds; the record last, so that it stays a run's folder."""
    entries = [entry for entry in path.iterdir() if entry.name not in {_LOCK, "log.txt"}]
    try:
        for entry in sorted(entries, key=lambda entry: entry.name == _RECORD):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    except OSError as error:
        raise RunDirectoryError(f"{path} cannot be deleted ({error.strerror}); set run.name") from error


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
