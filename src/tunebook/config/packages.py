"""Which settings need a package that Tunebook does not depend on, and whether it is there; imports none of them."""

from __future__ import annotations

import importlib.util

# Parts of an optimizer's name -> the module that it needs; the others come with torch and transformers.
_OPTIMIZERS = {
    "bnb": "bitsandbytes",
    "lion_": "bitsandbytes",
    "ademamix": "bitsandbytes",
    "paged_": "bitsandbytes",
    "adamw_8bit": "bitsandbytes",
    "galore": "galore_torch",
    "lomo": "lomo_optim",
    "grokadamw": "grokadamw",
    "schedule_free": "schedulefree",
    "apollo": "apollo_torch",
    "adamw_torch_4bit": "torchao",
    "adamw_torch_8bit": "torchao",
    "adamw_anyprecision": "torchdistx",
}


def of_optimizer(name: str | None) -> str | None:
    """The missing module of an optimizer, None where it can be used."""
    needed = next((module for part, module in _OPTIMIZERS.items() if part in (name or "")), None)
    return needed if needed and not _is_there(needed) else None


def of_trackers(names: str | list[str] | None) -> list[str]:
    """The trackers (`runtime.report_to`) whose module, of the same name, is missing."""
    listed = [names] if isinstance(names, str) else names or []
    return [name for name in listed if name not in {"none", "all"} and not _is_there(name)]


def _is_there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
