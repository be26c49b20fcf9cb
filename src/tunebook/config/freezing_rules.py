"""What cannot be combined with freezing in phases, told from the configuration alone. Knows no policy by name."""

from __future__ import annotations

from typing import Any

from tunebook.config import registry
from tunebook.config.schema import Config

Finding = tuple[str, str]


def problems(config: Config) -> list[Finding]:
    """Every setting that the freezing policy cannot follow. Groups that are None are not judged."""
    if not config.freezing:
        return []
    policy = registry.load("policy", config.freezing.policy)
    found: list[Finding] = []
    if hasattr(policy, "phases"):
        found += _in_phases(config)
    if config.hyperparameters and hasattr(policy, "longer_than"):
        found += _too_long(config, policy.longer_than(config.freezing.options))
    if config.runtime and config.freezing.policy != "none":
        found += _checkpointing(config)
    return found


def _in_phases(config: Config) -> list[Finding]:
    found: list[Finding] = []
    if config.runtime:
        by = f"freezing.policy={config.freezing.policy}"
        if config.runtime.ddp_find_unused_parameters is False:
            message = f"{by} trains other parameters in each phase, which DDP must look for; leave it out"
            found.append(("runtime.ddp_find_unused_parameters", message))
        if config.runtime.ddp_static_graph:
            message = f"{by} trains other parameters in each phase, so the graph is not static; set it to false"
            found.append(("runtime.ddp_static_graph", message))
        for key in ("fsdp", "deepspeed"):
            if getattr(config.runtime, key):
                message = f"lays the optimizer out when training begins, and {by} thaws later; take it out"
                found.append((f"runtime.{key}", message))
    return found


def _key(config: Config, unit: str) -> str | None:
    """The policy's option that gives a length in a unit, if it is set."""
    options = config.freezing.options
    named = (name for name in type(options).model_fields if name.endswith(f"_{unit}"))
    return next((name for name in named if getattr(options, name) is not None), None)


def _too_long(config: Config, least: Any) -> list[Finding]:
    """Phases that leave nothing of the training; where only the data can tell, nothing is said yet."""
    if least is None:
        return []
    wanted = config.hyperparameters
    by_steps = wanted.max_steps is not None and wanted.max_steps > 0
    limits = {"share": ("the training", 1)}
    if by_steps:
        limits["steps"] = (f"hyperparameters.max_steps={wanted.max_steps}", wanted.max_steps)
    elif wanted.num_train_epochs is not None:
        limits["epochs"] = (f"hyperparameters.num_train_epochs={wanted.num_train_epochs:g}", wanted.num_train_epochs)
    name, limit = limits.get(least.unit, ("", None))
    if limit is None or least.amount < limit:
        return []
    amount = f"{least.amount:g} {least.unit}" if least.unit != "share" else f"{least.amount:.0%}"
    message = f"the phases before the last take {amount}: nothing of {name} is left; shorten them, or train longer"
    return [(f"freezing.{_key(config, least.unit) or 'policy'}", message)]


def _checkpointing(config: Config) -> list[Finding]:
    settings = config.runtime.activation_checkpointing_kwargs
    if not (config.runtime.activation_checkpointing and isinstance(settings, dict) and settings.get("use_reentrant")):
        return []
    message = "gives no gradient to layers behind frozen ones; leave it out (false is transformers' default)"
    return [("runtime.activation_checkpointing_kwargs.use_reentrant", message)]
