"""What every source shares: the base of its options and what it is given with them. Knows no one source.

A source file `tunebook/data/sources/NAME.py` holds `Options` and `load(options, context) -> DatasetDict`. It may
also hold `preflight(options, context) -> list[Problem]`, which is cheap and imports neither torch nor datasets,
`given_splits(options) -> set[str]`, and `place(options, split) -> str`, the name of a split in messages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tunebook.config.options import Options

SPLITS = ("train", "validation", "test")


class SourceOptions(Options):
    """The base of a source's own settings."""


@dataclass(frozen=True)
class LoadContext:
    """What a source is given with its options.

    Args:
        roles: role (text, label, …) to the source's column, as the recipe says or by the role's own name; to several
            where the labels are in one column each.
        required: the roles that must be there.
        cwd: the folder that relative paths start from.
    """

    roles: dict[str, str | list[str]] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    cwd: Path = field(default_factory=Path.cwd)
