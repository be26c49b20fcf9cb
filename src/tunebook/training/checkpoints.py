"""Checkpoints that are complete or do not exist: written under another name, then renamed; verified before use.

Knows folders and files, nothing of the Trainer.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tunebook import files
from tunebook.errors import RunDirectoryError

logger = logging.getLogger("tunebook")

MANIFEST = "manifest.json"
_NAME = re.compile(r"^checkpoint-(\d+)$")
_ASIDE = (".saving-", ".deleting-")


def checkpoint_name(step: int) -> str:
    """The folder of the checkpoint after so many optimizer steps."""
    return f"checkpoint-{step}"


def checkpoints(root: Path) -> list[Path]:
    """Checkpoint folders, oldest step first, complete or not."""
    numbered = [(int(match[1]), path) for path in root.glob("checkpoint-*") if (match := _NAME.match(path.name))]
    return [path for _, path in sorted(numbered)]


@contextlib.contextmanager
def saving(final: Path, main: bool, wait: Callable[[], None], facts: dict[str, Any]) -> Iterator[Path]:
    """A folder of another name to write a checkpoint into; when every process is done it gets its final name.

    Raises:
        RunDirectoryError: the disk is full.
    """
    aside = final.with_name(f".saving-{final.name}")
    try:
        if main:
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(parents=True)
        wait()
        yield aside
        wait()
        if main:
            files.write_json(aside / MANIFEST, {**facts, "files": _listing(aside)})
            files.sync_folder(aside)
            remove(final)
            aside.rename(final)
            files.sync(final.parent)
        wait()
    except Exception as error:
        if _is_disk_full(error, final.parent):
            shutil.rmtree(aside, ignore_errors=True)
            message = (
                f"the disk of {final.parent} is full; {final.name} was not written and the checkpoints before it "
                "are whole. Free some space and repeat the same command"
            )
            raise RunDirectoryError(message) from error
        raise


def problems(folder: Path) -> list[str]:
    """Why a checkpoint is not complete; empty if it is. Compares every file's size and CRC-32 with the manifest."""
    try:
        listed = files.read_json(folder / MANIFEST)["files"]
    except FileNotFoundError:
        return [f"{MANIFEST} is missing"]
    except (ValueError, KeyError, TypeError):
        return [f"{MANIFEST} cannot be read"]
    reasons = []
    for name, (size, checksum) in listed.items():
        path = folder / name
        if not path.is_file():
            reasons.append(f"{name} is missing")
        elif path.stat().st_size != size:
            reasons.append(f"{name} has {path.stat().st_size} bytes, not {size}")
        elif _crc32(path) != checksum:
            reasons.append(f"{name} is damaged")
    return reasons


def facts(folder: Path) -> dict[str, Any]:
    """The facts that `saving` stored with a complete checkpoint."""
    return {key: value for key, value in files.read_json(folder / MANIFEST).items() if key != "files"}


def newest_whole(root: Path) -> Path | None:
    """The newest complete checkpoint; incomplete ones are renamed with a warning, leftovers removed."""
    for leftover in root.glob(".*"):
        if leftover.name.startswith(_ASIDE):
            shutil.rmtree(leftover)
    for candidate in reversed(checkpoints(root)):
        reasons = problems(candidate)
        if not reasons:
            return candidate
        broken = candidate.with_name(f"broken-{candidate.name}")
        remove(broken)
        candidate.rename(broken)
        logger.warning(
            "%s is not whole (%s); renamed to %s, the one before is used",
            candidate.name,
            "; ".join(reasons),
            broken.name,
        )
    return None


def rotate(root: Path, keep: int | None, best: Path | None) -> None:
    """Remove the oldest checkpoints but `keep`; the best one and the newest always stay."""
    present = checkpoints(root)
    if keep is None or len(present) <= keep:
        return
    old = [path for path in present[:-1] if best is None or path.name != best.name]
    for path in old[: len(present) - max(keep, 2 if best and best != present[-1] else 1)]:
        remove(path)


def remove(folder: Path) -> None:
    """Remove a folder so that it never exists incomplete under its name."""
    if folder.exists():
        aside = folder.with_name(f".deleting-{folder.name}")
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
        shutil.rmtree(aside)


def require_space(root: Path, bytes_needed: int) -> None:
    """Check that a checkpoint will fit before training starts.

    Raises:
        RunDirectoryError: it will not.
    """
    free = shutil.disk_usage(root).free
    if free < bytes_needed:
        message = (
            f"{root} has {free / 1e6:,.0f} MB free, and one checkpoint of this model takes about "
            f"{bytes_needed / 1e6:,.0f} MB: the disk is full. Free some space or set run.output_dir"
        )
        raise RunDirectoryError(message)


def _listing(folder: Path) -> dict[str, tuple[int, int]]:
    present = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {str(path.relative_to(folder)): (path.stat().st_size, _crc32(path)) for path in present}


def _crc32(path: Path) -> int:
    value = 0
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            value = zlib.crc32(block, value)
    return value


def _is_disk_full(error: Exception, folder: Path) -> bool:
    # torch and safetensors report a full disk in their own exceptions, sometimes without saying so.
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return True
    from_writing = isinstance(error, (OSError, RuntimeError)) or type(error).__name__ == "SafetensorError"
    return "No space left" in str(error) or (from_writing and shutil.disk_usage(folder).free < 1 << 20)
