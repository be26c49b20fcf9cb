"""Cached states of one split in a folder: written, checked by their hash, and read by row.

Knows bytes and shapes; nothing of models or of what rows hold.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tunebook import files

MANIFEST, STATES, LENGTHS = "manifest.json", "states.bin", "lengths.bin"
VERSION = 1


class DamagedStates(Exception):
    """A folder does not hold what was written; the message says which file."""


@dataclass(frozen=True)
class StatesLayout:
    """How states are laid out in their file: row after row, and within a row token after token.

    Args:
        shape: of a row's states, or of a token's where rows have lengths.
        dtype: of the numbers, as torch names it.
        rows: how many.
        lengths: (rows,), in tokens; None: every row has one shape.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    rows: int
    lengths: np.ndarray | None = None

    @property
    def ends(self) -> np.ndarray:
        """(rows + 1,): where each row begins, and the end."""
        lengths = np.ones(self.rows, dtype=np.int64) if self.lengths is None else self.lengths
        return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])

    @property
    def unit(self) -> int:
        """Bytes of one row, or of one token."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def bytes(self) -> int:
        """Of all states."""
        return self.unit * int(self.ends[-1])

    def plain(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "shape": list(self.shape),
            "dtype": str(self.dtype).removeprefix("torch."),
            "rows": self.rows,
            "by_token": self.lengths is not None,
        }


class StatesWriter:
    """Writes states into a folder, from one process or several at once."""

    def __init__(self, folder: Path, layout: StatesLayout) -> None:
        self.folder, self.layout, self.ends = folder, layout, layout.ends

    def begin(self) -> None:
        """Make the files; on the main process."""
        with (self.folder / STATES).open("wb") as stream:
            stream.truncate(self.layout.bytes)
        if self.layout.lengths is not None:
            (self.folder / LENGTHS).write_bytes(self.layout.lengths.astype("<i8").tobytes())

    def write(self, rows: Sequence[int], states: Sequence[torch.Tensor]) -> None:
        """Write the states of some rows, one tensor a row, as long as the row where rows have lengths."""
        # Written, not mapped: on a disk that is full, writing to a mapped file kills the process.
        with (self.folder / STATES).open("r+b") as stream:
            for row, own in zip(rows, states, strict=True):
                stream.seek(int(self.ends[row]) * self.layout.unit)
                stream.write(_bytes(own))

    def finish(self, about: dict[str, Any]) -> None:
        """Write the manifest, once all states are written; on the main process."""
        written = [file for file in (STATES, LENGTHS) if (self.folder / file).exists()]
        checks = {file: _check_sum(self.folder / file) for file in written}
        files.write_json(
            self.folder / MANIFEST, {"version": VERSION, **self.layout.plain(), "sha256": checks, "about": about}
        )
        files.sync_folder(self.folder)


class StatesReader:
    """Reads states from a folder through a memory map."""

    def __init__(self, folder: Path, layout: StatesLayout) -> None:
        self.folder, self.layout, self.ends = folder, layout, layout.ends
        # As integers of the same width: numpy has no bfloat16.
        kind = np.dtype(f"<i{layout.dtype.itemsize}")
        shape = (int(self.ends[-1]), *layout.shape)
        self._numbers = np.memmap(folder / STATES, dtype=kind, mode="r", shape=shape)

    def __reduce__(self) -> tuple[Any, ...]:
        # For spawned workers: they map the file themselves.
        return StatesReader, (self.folder, self.layout)

    @classmethod
    def opened(cls, folder: Path, check: bool = True) -> StatesReader:
        """A reader of a folder; with `check` everything in it is read and compared with the hash of what was written.

        Raises:
            DamagedStates: something is missing or differs from what was written.
        """
        try:
            manifest = files.read_json(folder / MANIFEST)
            if manifest["version"] != VERSION:
                raise DamagedStates("of another version")
            for file, wanted in manifest["sha256"].items():
                if check and _check_sum(folder / file) != wanted:
                    raise DamagedStates(f"{file} differs from what was written")
            lengths = np.fromfile(folder / LENGTHS, dtype="<i8") if manifest["by_token"] else None
            dtype = getattr(torch, manifest["dtype"])
            return cls(folder, StatesLayout(tuple(manifest["shape"]), dtype, manifest["rows"], lengths))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedStates(f"{type(error).__name__}: {error}") from error

    def lengths(self, rows: Sequence[int]) -> torch.Tensor:
        """Numbers of tokens of rows, (rows,); 1 where they have no lengths."""
        at = np.asarray(rows)
        return torch.from_numpy(self.ends[at + 1] - self.ends[at])

    def rows(self, rows: Sequence[int]) -> torch.Tensor:
        """The states of rows, (rows, …), or (tokens of all of them, …)."""
        at = np.asarray(rows)
        if self.layout.lengths is not None:
            begins, lengths = self.ends[at], self.ends[at + 1] - self.ends[at]
            places = np.arange(lengths.sum())
            at = places + np.repeat(begins - np.cumsum(lengths) + lengths, lengths)
        return torch.from_numpy(self._numbers[at]).view(self.layout.dtype)


def _bytes(states: torch.Tensor) -> bytes:
    return states.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes()


def _check_sum(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
