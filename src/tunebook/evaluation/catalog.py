"""Which metrics a recipe may name, read from the cards beside the modules; imports no torch and no evaluate.

A metric ships because its folder is there: `metrics/NAME/NAME.py` and `metrics/NAME/card.yaml`. One label's own
score is written with the label behind the module's name: `f1:spam`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from tunebook.errors import Problem, did_you_mean

FOLDER = Path(__file__).parent / "metrics"
HUB_PREFIX = "hub:"
ANY = frozenset({"class", "classes", "number"})
_SCORES = {"class": "one label a row", "classes": "several labels a row", "number": "numbers"}
# Hugging Face's own metrics have bare names; anything with an owner is somebody's code.
_CANONICAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class MetricCard:
    """One number that a shipped module can compute.

    Args:
        name: as recipes write it (`f1_macro`, `f1:spam`).
        module_dir: folder that `evaluate.load` takes; its name is also the key of the result.
        kwargs: further arguments of `compute` (`{"average": "macro"}`).
        greater_is_better: the direction, as the card declares it.
        kinds: of label that it scores (`class`, `classes`, `number`).
        takes: `answers`, or `scores`: each label's probability.
        label: whose score it is alone; None: of all.
    """

    name: str
    module_dir: Path
    kwargs: Mapping[str, Any]
    greater_is_better: bool
    kinds: frozenset[str] = ANY
    takes: str = "answers"
    label: str | None = None


@cache
def _cards() -> tuple[dict[str, MetricCard], dict[str, MetricCard]]:
    """The metrics by name; and those that score one label, by what stands in front of the colon."""
    cards: dict[str, MetricCard] = {}
    of_one: dict[str, MetricCard] = {}
    for path in sorted(FOLDER.glob("*/card.yaml")):
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
        for name, kwargs in said["outputs"].items():
            if name in cards:
                raise ValueError(f"{path}: {name} is already declared in {cards[name].module_dir}")
            kinds = said.get("kinds_of", {}).get(name, said["kinds"])
            cards[name] = _card(path, name, said, kwargs, kinds)
        if "of_one_label" in said:
            of_one[path.parent.name] = _card(path, path.parent.name, said, said["of_one_label"], said["kinds"])
    return cards, of_one


def _card(path: Path, name: str, said: dict[str, Any], kwargs: dict[str, Any], kinds: list[str]) -> MetricCard:
    return MetricCard(
        name=name,
        module_dir=path.parent,
        kwargs=MappingProxyType(dict(kwargs)),
        greater_is_better=bool(said["greater_is_better"]),
        kinds=frozenset(kinds),
        takes=said.get("takes", "answers"),
    )


def shipped(kind: str | None = None) -> dict[str, MetricCard]:
    """All metrics that need no network, by the name that recipes use; one label's own are left out.

    Args:
        kind: only those that score this kind of label; None: all.
    """
    return {name: card for name, card in _cards()[0].items() if kind is None or kind in card.kinds}


def find(name: str) -> MetricCard | None:
    """A shipped metric, one label's own (`f1:spam`) included; None: no such one."""
    cards, of_one = _cards()
    bare, colon, label = name.partition(":")
    if not colon:
        return cards.get(name)
    return replace(of_one[bare], name=name, label=label) if bare in of_one and label else None


def is_hub(name: str) -> bool:
    """Whether a name asks for a metric of the Hub (`hub:bleu`)."""
    return name.startswith(HUB_PREFIX)


def direction(name: str) -> bool | None:
    """True when greater is better, False when smaller is, None for Hub metrics (they don't say).

    Raises:
        KeyError: no such metric; `problems` says so in words.
    """
    if is_hub(name):
        return None
    if (card := find(name)) is None:
        raise KeyError(name)
    return card.greater_is_better


def problems(names: Iterable[str], key: str, kind: str | None = None) -> list[Problem]:
    """What is wrong with the metrics that a recipe names.

    Args:
        names: the metrics, as the recipe writes them.
        key: where they stand (`task.metrics`), for the message.
        kind: of label that they are to score; None: any.

    Returns:
        One problem for each bad or repeated name; empty when all are fine.
    """
    kind = {"single_label": "class", "multi_label": "classes", "regression": "number"}.get(kind or "", kind)
    found, seen = [], set()
    for name in names:
        message = _complaint(name, kind) or ("named twice; once is enough" if name in seen else "")
        if message:
            found.append(Problem(f"{key}={name!r}", message))
        seen.add(name)
    return found


def unknown_labels(names: Iterable[str], labels: Sequence[str], key: str) -> list[Problem]:
    """The metrics of one label (`f1:spam`) whose label is not there.

    Args:
        names: the metrics, as the recipe writes them; without mistakes that `problems` tells of.
        labels: names of the labels.
        key: where the metrics stand (`task.metrics`), for the message.
    """
    cards = [card for name in names if (card := find(name)) is not None]
    return [
        Problem(f"{key}={card.name!r}", f"the data has no label {card.label!r}; {did_you_mean(card.label, labels)}")
        for card in cards
        if card.label is not None and card.label not in labels
    ]


def _complaint(name: str, kind: str | None) -> str:
    if not is_hub(name):
        return _complaint_of_shipped(name, kind)
    bare = name.removeprefix(HUB_PREFIX)
    if "/" in bare:
        return (
            "refused: it would run its owner's code, which can change at any time; "
            "install the metric as a package that offers it as a plugin (entry-point group tunebook.plugins)"
        )
    if not _CANONICAL.fullmatch(bare):
        return "not a name on the Hub; write hub:NAME with letters, digits, - and _, as in hub:bleu"
    return ""


def _complaint_of_shipped(name: str, kind: str | None) -> str:
    card, of_one = find(name), _cards()[1]
    if card is None and name.partition(":")[0] in of_one:
        return f"names no label; write {name.partition(':')[0]}:LABEL"
    if card is None and ":" in name:
        return f"no such metric of one label; there are {', '.join(f'{bare}:LABEL' for bare in of_one)}"
    if card is None:
        hint = f"{did_you_mean(name, shipped(kind))} A metric of the Hub is written {HUB_PREFIX}NAME, as in hub:bleu"
        return f"no such metric; {hint}"
    if kind is None or kind in card.kinds:
        return ""
    scores = " or ".join(_SCORES[one] for one in sorted(card.kinds))
    return f"scores {scores}; for {_SCORES[kind]}: {', '.join(shipped(kind))}"
