"""Finds tasks, data sources, losses, freezing policies and their like by name; imports one only when asked for.

A thing is there because its file is there (`tunebook/tasks/NAME.py`), or because an installed package
says so through the entry-point group `tunebook.plugins` (entry point `task.NAME`, `source.NAME`, …).
Nothing is listed by hand, and nothing outside installed packages is ever imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

PLUGINS = "tunebook.plugins"
FOLDERS = {
    "task": "tunebook.tasks",
    "source": "tunebook.data.sources",
    "sampling": "tunebook.data.sampling",
    "augmentation": "tunebook.data.augmentation",
    "loss": "tunebook.training.losses",
    "policy": "tunebook.models.policies",
    "adapter": "tunebook.models.adapters",
    "check": "tunebook.data.audit.checks",
    "regularization": "tunebook.training.regularization",
}


def names(kind: str) -> list[str]:
    """All names of a kind (a key of `FOLDERS`), sorted."""
    spec = importlib.util.find_spec(FOLDERS[kind])
    folder = list(spec.submodule_search_locations or []) if spec else []
    modules = {module.name for module in pkgutil.iter_modules(folder)}
    shipped = {name for name in modules if name != "base" and not name.startswith("_")}
    return sorted(shipped | set(_plugins(kind)))


def load(kind: str, name: str) -> ModuleType:
    """The module that defines a thing.

    Raises:
        KeyError: no such name; `names(kind)` lists what there is.
    """
    if name not in names(kind):
        raise KeyError(f"no {kind} named {name!r}")
    plugin = _plugins(kind).get(name)
    return plugin.load() if plugin else importlib.import_module(f"{FOLDERS[kind]}.{name}")


def _plugins(kind: str) -> dict[str, EntryPoint]:
    prefix = f"{kind}."
    return {
        point.name.removeprefix(prefix): point for point in entry_points(group=PLUGINS) if point.name.startswith(prefix)
    }
