"""Finds tasks, data sources, losses, freezing policies and the like by name; imports one only when it is asked for.

A module ships because its file is there (`tunebook/tasks/NAME.py`). An installed package adds one through the
entry-point group `tunebook.plugins` (`task.NAME`, `metric.NAME`, `check.NAME`, …). Nothing is listed by hand, and
nothing outside installed packages is ever imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

from tunebook.errors import ConfigurationError, Problem, did_you_mean

PLUGINS = "tunebook.plugins"
FOLDERS = {
    "task": "tunebook.tasks",
    "source": "tunebook.data.sources",
    "sampling": "tunebook.data.sampling",
    "augmentation": "tunebook.data.augmentation",
    "check": "tunebook.data.audit.checks",
    "loss": "tunebook.training.losses",
    "policy": "tunebook.models.policies",
    "adapter": "tunebook.models.adapters",
    "regularization": "tunebook.training.regularization",
}
"""Kind to the package that holds the shipped modules; `base.py` in it is the contract of the kind."""
KINDS = (*FOLDERS, "metric")
"""Everything that a package can add. Shipped metrics are one table, not modules (`tunebook.evaluation`)."""
MEMBERS = {
    "task": ("Options", "Task"),
    "sampling": ("Options", "TARGETS", "Sampling"),
    "loss": ("Options", "TARGETS", "Loss"),
    "adapter": ("Options", "POSITION", "configuration"),
    "check": ("check",),
    "metric": ("compute", "GREATER_IS_BETTER", "TARGETS"),
}
"""What a module of a package must define; the other kinds need `Options` at least."""


def names(kind: str) -> list[str]:
    """All names of a kind (a key of `FOLDERS`), shipped and from packages, sorted.

    Raises:
        ConfigurationError: a name is claimed twice.
    """
    shipped = _shipped(kind)
    return sorted(shipped | plugins(kind, shipped).keys())


def load(kind: str, name: str) -> ModuleType:
    """The module that defines a thing.

    Raises:
        KeyError: no such name; `names(kind)` lists what there is.
        ConfigurationError: the package that adds it cannot be imported, or lacks a part of the contract.
    """
    shipped = _shipped(kind) if kind in FOLDERS else frozenset[str]()
    if name in shipped:
        return importlib.import_module(f"{FOLDERS[kind]}.{name}")
    point = plugins(kind, shipped).get(name)
    if point is None:
        raise KeyError(f"no {kind} named {name!r}")
    return _imported(kind, point)


def contract(kind: str) -> ModuleType | None:
    """The module `base` of a kind, which may hold rules for every module of it (`problems(config)`); None: none."""
    name = f"{FOLDERS[kind]}.base"
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def plugins(kind: str, shipped: Iterable[str] = ()) -> dict[str, EntryPoint]:
    """What installed packages add, by name; `shipped` are names that no package may claim.

    Raises:
        ConfigurationError: a name is claimed by two packages, or by a package and by Tunebook.
    """
    points: dict[str, EntryPoint] = {}
    owners: dict[str, list[str]] = {name: ["tunebook"] for name in shipped}
    for point in _entry_points():
        if point.name.partition(".")[0] == kind:
            name = point.name.partition(".")[2]
            points[name] = point
            owners.setdefault(name, []).append(distribution(point))
    clashes = [
        Problem(f"{kind}.{name}", f"is claimed by {' and by '.join(who)}; uninstall all but one of them", PLUGINS)
        for name, who in owners.items()
        if len(who) > 1
    ]
    if clashes:
        raise ConfigurationError(clashes, "the installed packages")
    return points


def distribution(point: EntryPoint) -> str:
    """The installed package that an entry point comes from, with its version."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


@cache
def _entry_points() -> tuple[EntryPoint, ...]:
    """Read once a process; a test that installs a package meanwhile calls `registry._entry_points.cache_clear()`.

    Raises:
        ConfigurationError: an entry point is not named KIND.NAME.
    """
    points = tuple(entry_points(group=PLUGINS))
    wrong = []
    for point in points:
        kind, _, name = point.name.partition(".")
        if kind not in KINDS or not name:
            message = f"of {distribution(point)} is not KIND.NAME; KIND: {did_you_mean(kind, KINDS)}"
            wrong.append(Problem(point.name, message, PLUGINS))
    if wrong:
        raise ConfigurationError(wrong, "the installed packages")
    return points


@cache
def _shipped(kind: str) -> frozenset[str]:
    spec = importlib.util.find_spec(FOLDERS[kind])
    folder = list(spec.submodule_search_locations or []) if spec else []
    modules = {module.name for module in pkgutil.iter_modules(folder)}
    return frozenset(name for name in modules if name != "base" and not name.startswith("_"))


def _imported(kind: str, point: EntryPoint) -> ModuleType:
    try:
        module: ModuleType = point.load()
    except Exception as error:
        # Whatever a stranger's module raises, the user must learn which package is to blame.
        message = f"cannot be imported from {distribution(point)}: {type(error).__name__}: {error}"
        raise ConfigurationError(Problem(point.name, message, PLUGINS), "the installed packages") from error
    missing = [member for member in MEMBERS.get(kind, ("Options",)) if not hasattr(module, member)]
    if missing:
        message = f"from {distribution(point)} does not define {', '.join(missing)}, which every {kind} needs"
        raise ConfigurationError(Problem(point.name, message, PLUGINS), "the installed packages")
    return module
