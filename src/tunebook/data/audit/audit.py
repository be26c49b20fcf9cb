"""Looks at prepared rows with every check there is, and writes down what was found. Trains and changes nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from tunebook import files
from tunebook.config import registry
from tunebook.data.audit.check_result import LEVELS, CheckResult
from tunebook.data.audit.context import AuditContext
from tunebook.data.audit.facts import AuditFacts

if TYPE_CHECKING:
    from tunebook.data.prepare import PreparedData

logger = logging.getLogger("tunebook")


@dataclass(frozen=True)
class Audit:
    """What the checks found.

    Args:
        looks: check to what it found, warnings first; checks that do not apply are left out.
        rows: split to the number of its rows.
        label_names: in the order of ids.
        source: where the rows came from, in words.
        seed: that samples were drawn by.
    """

    looks: dict[str, CheckResult]
    rows: dict[str, int]
    label_names: list[str]
    source: str
    seed: int

    @property
    def warnings(self) -> list[str]:
        """The lines of the checks that warn."""
        return [look.words for look in self.looks.values() if look.level == "warning"]

    def record(self) -> dict[str, Any]:
        """The content of audit.json: plain values, no text of the data but words that give a label or split away."""
        found = {
            name: {
                "level": look.level,
                "words": look.words,
                "numbers": look.numbers,
                "examples": [[{"split": row.split, "row": row.row} for row in one.rows] for one in look.examples],
            }
            for name, look in self.looks.items()
        }
        head = {"format": 1, "source": self.source, "rows": self.rows, "labels": self.label_names, "seed": self.seed}
        return plain({**head, "checks": found})


def names() -> list[str]:
    """Every check, of installed packages too, sorted."""
    return registry.names("check")


def audit(data: PreparedData, facts: AuditFacts) -> Audit:
    """Look at the rows with every check that applies.

    Args:
        data: prepared.
        facts: what the rows do not say.
    """
    context = AuditContext(data, facts)
    looks = {}
    bar = tqdm(names(), desc="Audit", disable=None, leave=False)
    for name in bar:
        bar.set_postfix_str(title(name))
        check: Callable[[AuditContext], CheckResult | None] = registry.load("check", name).check
        if context.splits and (found := check(context)) is not None:
            looks[name] = found
    order = sorted(looks, key=lambda name: LEVELS.index(looks[name].level))
    rows = {name: len(split) for name, split in context.splits.items()}
    return Audit({name: looks[name] for name in order}, rows, data.label_names, data.source, facts.seed)


def title(name: str) -> str:
    """A check's name in words."""
    return name.replace("_", " ")


def write_json(path: Path, audit: Audit) -> None:
    """Write audit.json, whole or not at all."""
    files.write_json(path, audit.record())


def plain(value: Any) -> Any:
    """NumPy's values as Python's; what is not a finite number as None."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    return None if isinstance(value, float) and not np.isfinite(value) else value
