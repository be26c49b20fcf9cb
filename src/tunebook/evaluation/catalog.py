"""Which metrics a recipe may name, and what is wrong with a name. Imports no torch, numpy or library of metrics.

Names are those of the table `tunebook_metrics/table.py`, of plug-ins (entry point `metric.NAME`: a module with
`compute(predictions, references, **kwargs) -> float`, `GREATER_IS_BETTER` and `TARGETS`) and `hub:NAME`. One label's
own figure is written with the label behind the metric's name: `f1:spam`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tunebook.config import registry
from tunebook.errors import Problem, did_you_mean
from tunebook.evaluation.tunebook_metrics.table import METRICS, Metric

FOLDER = Path(__file__).parent / "tunebook_metrics"
"""What `evaluate.load` takes."""
HUB_PREFIX = "hub:"
_WORDS = {
    "single_label": "one label a row",
    "multi_label": "several labels a row",
    "regression": "numbers",
    "token_labels": "labels of tokens",
    "text": "texts",
    "token_ids": "generated text",
}
# Hugging Face's own metrics have bare names; anything with an owner is somebody's code.
_CANONICAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_OF_ONE_LABEL = {metric.family: metric for metric in METRICS.values() if metric.of_one_label}


@cache
def _plugin(name: str) -> Metric | None:
    try:
        module = registry.load("metric", name)
    except KeyError:
        return None
    return Metric(name, module.compute, frozenset(module.TARGETS), greater_is_better=bool(module.GREATER_IS_BETTER))


def shipped(target_type: str | None = None) -> dict[str, Metric]:
    """All metrics that need no network and no plug-in, by name; one label's own are left out.

    Args:
        target_type: only those that score it; None: all.
    """
    return {name: metric for name, metric in METRICS.items() if target_type is None or target_type in metric.targets}


def find(name: str) -> Metric | None:
    """A metric that ships, or of a plug-in; one label's own (`f1:spam`) included. None: no such one."""
    family, colon, label = name.partition(":")
    if not colon:
        return METRICS.get(name) or _plugin(name)
    return replace(_OF_ONE_LABEL[family], name=name, label=label) if family in _OF_ONE_LABEL and label else None


def is_hub(name: str) -> bool:
    """Whether a name asks for a metric of the Hub (`hub:bleu`)."""
    return name.startswith(HUB_PREFIX)


def direction(name: str) -> bool | None:
    """True when greater is better, False when smaller is, None for Hub metrics, which do not say.

    Raises:
        KeyError: no such metric; `problems` explains it.
    """
    if is_hub(name):
        return None
    if (metric := find(name)) is None:
        raise KeyError(name)
    return metric.greater_is_better


def problems(names: Iterable[str], key: str, target_type: str | None = None) -> list[Problem]:
    """What is wrong with the metrics that a recipe names.

    Args:
        names: the metrics, as the recipe writes them.
        key: of the configuration (`task.metrics`), for the message.
        target_type: that they are to score; None: any.

    Returns:
        One problem for each bad or repeated name; empty when all are fine.
    """
    result, seen = [], set()
    for name in names:
        message = _message(name, target_type) or ("named twice; once is enough" if name in seen else "")
        if message:
            result.append(Problem(f"{key}={name!r}", message))
        seen.add(name)
    return result


def unknown_labels(names: Iterable[str], labels: Sequence[str], key: str) -> list[Problem]:
    """The metrics of one label (`f1:spam`, `entity_f1:PER`) whose label is not there.

    Args:
        names: the metrics, as the recipe writes them; without those that `problems` refuses.
        labels: names of the labels; of tokens, tags such as `B-PER`.
        key: of the configuration (`task.metrics`), for the message.
    """
    result = []
    for metric in filter(None, map(find, names)):
        known = list(labels)
        if "token_labels" in metric.targets:
            known = list(dict.fromkeys(label.partition("-")[2] for label in labels if "-" in label))
        if metric.label is not None and metric.label not in known:
            message = f"the data has no label {metric.label!r}; {did_you_mean(metric.label, known)}"
            result.append(Problem(f"{key}={metric.name!r}", message))
    return result


def _message(name: str, target_type: str | None) -> str:
    if not is_hub(name):
        return _message_of_local(name, target_type)
    bare = name.removeprefix(HUB_PREFIX)
    if "/" in bare:
        return (
            "refused: it would run its owner's code, which can change at any time; "
            "install the metric as a package that offers it as a plugin (entry point metric.NAME of tunebook.plugins)"
        )
    if not _CANONICAL.fullmatch(bare):
        return "not a name on the Hub; write hub:NAME with letters, digits, - and _, as in hub:wer"
    return ""


def _message_of_local(name: str, target_type: str | None) -> str:
    metric, family = find(name), name.partition(":")[0]
    if metric is None and family in _OF_ONE_LABEL:
        return f"names no label; write {family}:LABEL"
    if metric is None and ":" in name:
        fitting = [
            f"{family}:LABEL"
            for family, one in _OF_ONE_LABEL.items()
            if target_type is None or target_type in one.targets
        ]
        return f"no such metric of one label; there are {', '.join(fitting) or 'none here'}"
    if metric is None:
        hint = did_you_mean(name, [*shipped(target_type), *registry.plugins("metric", METRICS)])
        return f"no such metric; {hint} A metric of the Hub is written {HUB_PREFIX}NAME, as in hub:wer"
    if target_type is None or target_type in metric.targets:
        missing = metric.package and find_spec(metric.package) is None
        return f"needs the package {metric.package}: pip install 'tunebook[text]'" if missing else ""
    scored = sorted(metric.targets, key=[*_WORDS, *metric.targets].index)
    words = " or ".join(_WORDS.get(target, target) for target in scored)
    return f"scores {words}; for {_WORDS.get(target_type, target_type)}: {', '.join(shipped(target_type)) or 'none'}"
