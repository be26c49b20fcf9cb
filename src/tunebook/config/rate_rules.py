"""What cannot be combined among learning rates, schedules and optimizers: told from the configuration alone."""

from __future__ import annotations

import re
from typing import Any

from tunebook.config import schedules
from tunebook.config.schema import Config

OWN_GROUPS = ("galore", "apollo", "lomo")
"""Parts of the names of optimizers that put the parameters into groups of their own."""
DEFAULT_RATE = 5e-5
"""transformers' own, where `learning_rate` is null."""
DEFAULT_WARMUP = 0.1
"""Of conf/hyperparameters/default.yaml."""
Finding = tuple[str, str]


def problems(config: Config) -> list[Finding]:
    """Every setting of `hyperparameters` here that cannot be run with another."""
    wanted = config.hyperparameters
    name = wanted.lr_scheduler_type or "linear"
    return [
        *_slices(wanted),
        *_patterns(wanted),
        *_optimizer(wanted),
        *schedules.problems(name, wanted.lr_scheduler_kwargs),
        *_warmup(wanted, name),
        *_momentum(wanted, name),
        *_by_metric(wanted, name),
    ]


def notices(config: Config) -> list[str]:
    """Which defaults do not apply to the schedule, as sentences for the log."""
    wanted = config.hyperparameters
    name, warmup = wanted.lr_scheduler_type or "linear", wanted.warmup_steps
    if not warmup:
        return []
    if name in schedules.RISES:
        key = schedules.RISES[name]
        share = getattr(schedules.OWN[name].model_validate(wanted.lr_scheduler_kwargs or {}), key)
        where = f"hyperparameters.lr_scheduler_kwargs.{key}"
        why = f"the rate rises over the first {100 * share:.0f} % of the steps ({where})"
    elif name in {"constant", *schedules.BY_METRIC}:
        instead = "; constant_with_warmup has one" if name == "constant" else ""
        why = f"{name} has no warm-up{instead}"
    else:
        return []
    return [f"hyperparameters.warmup_steps={warmup:g} is not used: {why}"]


def _slices(wanted: Any) -> list[Finding]:
    lowest, highest = wanted.lowest_learning_rate, wanted.learning_rate or DEFAULT_RATE
    found: list[Finding] = []
    if lowest is not None and wanted.layer_lr_decay is not None:
        message = (
            f"both say how the rate falls from layer to layer; take it out, or layer_lr_decay={wanted.layer_lr_decay:g}"
        )
        found.append(("hyperparameters.lowest_learning_rate", message))
    if lowest is not None and lowest > highest:
        message = f"is the embeddings' and must be at most learning_rate={highest:g}, not {lowest:g}"
        found.append(("hyperparameters.lowest_learning_rate", message))
    return found


def _patterns(wanted: Any) -> list[Finding]:
    found: list[Finding] = []
    for at, rule in enumerate(wanted.learning_rates):
        try:
            re.compile(rule.pattern)
        except re.error as error:
            message = f"{rule.pattern!r} is no regular expression: {error}"
            found.append((f"hyperparameters.learning_rates.{at}.pattern", message))
    return found


def _optimizer(wanted: Any) -> list[Finding]:
    optimizer = wanted.optim or ""
    if not any(part in optimizer for part in OWN_GROUPS):
        return []
    asked = ("layer_lr_decay", "lowest_learning_rate", "learning_rates", "decay_norms_and_biases")
    message = f"cannot be with optim={optimizer}, which groups the parameters its own way; take it out, or optim"
    return [(f"hyperparameters.{key}", message) for key in asked if getattr(wanted, key)]


def _warmup(wanted: Any, name: str) -> list[Finding]:
    # A frozen recipe spells the default out, so that one is not taken for somebody's wish.
    if name not in schedules.RISES or wanted.warmup_steps in {None, 0, DEFAULT_WARMUP}:
        return []
    key = f"lr_scheduler_kwargs.{schedules.RISES[name]}"
    share = f"{wanted.warmup_steps:g}" if wanted.warmup_steps < 1 else "SHARE"
    message = f"{name} brings its own rise: set hyperparameters.{key}={share}, a share of all steps, and take this out"
    return [("hyperparameters.warmup_steps", message)]


def _momentum(wanted: Any, name: str) -> list[Finding]:
    if name != "one_cycle" or wanted.adam_beta1 is None or (wanted.lr_scheduler_kwargs or {}).get("moms", ...) is None:
        return []
    message = (
        "would not be used, as one_cycle moves it (lr_scheduler_kwargs.moms); take it out, "
        "or set hyperparameters.lr_scheduler_kwargs.moms=null"
    )
    return [("hyperparameters.adam_beta1", message)]


def _by_metric(wanted: Any, name: str) -> list[Finding]:
    if name not in schedules.BY_METRIC or wanted.eval_strategy not in {None, "no"}:
        return []
    message = f"{name} follows the evaluations: set hyperparameters.eval_strategy=epoch, or choose another schedule"
    return [("hyperparameters.lr_scheduler_type", message)]
