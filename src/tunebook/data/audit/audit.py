"""Runs every check on prepared rows and records the results. Trains and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Audit:
    """The results of all checks.

    Args:
        results: check to its result, warnings first.
        rows: split to the number of its rows.
        label_names: in the order of ids.
        source: where the rows came from, in words.
        seed: that samples were chosen by.
        not_applicable: check to the reason why it does not apply to these rows.
    """

    results: dict[str, CheckResult]
    rows: dict[str, int]
    label_names: list[str]
    source: str
    seed: int
    not_applicable: dict[str, str] = field(default_factory=dict)

    @property
    def warnings(self) -> list[str]:
        """The lines of the checks that warn."""
        return [result.words for result in self.results.values() if result.level == "warning"]

    def record(self) -> dict[str, Any]:
        """The content of audit.json: plain values, no text of the data but words that give a label or split away."""

        def rows_of(result: CheckResult) -> list[list[dict[str, Any]]]:
            return [[{"split": row.split, "row": row.row} for row in one.rows] for one in result.examples]

        checks = {
            name: {"level": one.level, "words": one.words, "numbers": one.numbers, "examples": rows_of(one)}
            for name, one in self.results.items()
        }
        head = {"format": 1, "source": self.source, "rows": self.rows, "labels": self.label_names, "seed": self.seed}
        return plain({**head, "checks": checks, "not_applicable": self.not_applicable})


def audit(data: PreparedData, facts: AuditFacts) -> Audit:
    """Run every check that applies to the rows."""
    context = AuditContext(data, facts)
    results: dict[str, CheckResult] = {}
    skipped: dict[str, str] = {}
    bar = tqdm(registry.names("check"), desc="Audit", disable=None, leave=False)
    for name in bar:
        bar.set_postfix_str(title(name))
        check: Callable[[AuditContext], CheckResult | str] = registry.load("check", name).check
        result = check(context) if context.splits else "there are no rows"
        if isinstance(result, str):
            skipped[name] = result
        else:
            results[name] = result
    order = sorted(results, key=lambda name: LEVELS.index(results[name].level))
    rows = {name: len(split) for name, split in context.splits.items()}
    return Audit({name: results[name] for name in order}, rows, data.label_names, data.source, facts.seed, skipped)


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
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    return None if isinstance(value, float) and not np.isfinite(value) else value
