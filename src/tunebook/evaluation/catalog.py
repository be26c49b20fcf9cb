"""Which metrics a recipe may name, read from the cards beside the modules; imports no torch and no evaluate.

A metric ships because its folder is there: `metrics/NAME/NAME.py` and `metrics/NAME/card.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from tunebook.errors import Problem, did_you_mean

FOLDER = Path(__file__).parent / "metrics"
HUB_PREFIX = "hub:"
# Hugging Face's own metrics have bare names; anything with an owner is somebody's code.
_CANONICAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class MetricCard:
    """One number that a shipped module can compute.

    Args:
        name: as recipes write it (`f1_macro`).
        module_dir: folder that `evaluate.load` takes; its name is also the key of the result.
        kwargs: further arguments of `compute` (`{"average": "macro"}`).
        greater_is_better: the direction, as the card declares it.
    """

    name: str
    module_dir: Path
    kwargs: Mapping[str, Any]
    greater_is_better: bool


@cache
def _cards() -> dict[str, MetricCard]:
    cards: dict[str, MetricCard] = {}
    for path in sorted(FOLDER.glob("*/card.yaml")):
        card = yaml.safe_load(path.read_text(encoding="utf-8"))
        for name, kwargs in card["outputs"].items():
            if name in cards:
                raise ValueError(f"{path}: {name} is already declared in {cards[name].module_dir}")
            frozen = MappingProxyType(dict(kwargs))
            cards[name] = MetricCard(name, path.parent, frozen, bool(card["greater_is_better"]))
    return cards


def shipped() -> dict[str, MetricCard]:
    """All metrics that need no network, by the name that recipes use."""
    return dict(_cards())


def is_hub(name: str) -> bool:
    """Whether a name asks for a metric of the Hub (`hub:bleu`)."""
    return name.startswith(HUB_PREFIX)


def direction(name: str) -> bool | None:
    """True when greater is better, False when smaller is, None for Hub metrics (they don't say).

    Raises:
        KeyError: no such metric; `problems` says so in words.
    """
    return None if is_hub(name) else _cards()[name].greater_is_better


def problems(names: Iterable[str], key: str) -> list[Problem]:
    """What is wrong with the metrics that a recipe names.

    Args:
        names: the metrics, as the recipe writes them.
        key: where they stand (`task.metrics`), for the message.

    Returns:
        One problem for each bad or repeated name; empty when all are fine.
    """
    found, seen = [], set()
    for name in names:
        message = _complaint(name) or ("named twice; once is enough" if name in seen else "")
        if message:
            found.append(Problem(f"{key}={name!r}", message))
        seen.add(name)
    return found


def _complaint(name: str) -> str:
    if not is_hub(name):
        hint = f"{did_you_mean(name, _cards())} A metric of the Hub is written {HUB_PREFIX}NAME, as in hub:bleu"
        return "" if name in _cards() else f"no such metric; {hint}"
    bare = name.removeprefix(HUB_PREFIX)
    if "/" in bare:
        return (
            "refused: it would run its owner's code, which can change at any time; "
            "install the metric as a package that offers it as a plugin (entry-point group tunebook.plugins)"
        )
    if not _CANONICAL.fullmatch(bare):
        return "not a name on the Hub; write hub:NAME with letters, digits, - and _, as in hub:bleu"
    return ""
