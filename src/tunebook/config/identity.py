"""The name of a run, and the frozen recipe that repeats it: both follow from the configuration alone."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import yaml

from tunebook.config.recipe_file import PACKAGE_LINE
from tunebook.config.schema import Config

SHAPING = (
    "task", "model", "dataset", "cleaning", "sampling", "augmentation", "loss", "freezing", "adapter",
    "regularization", "hyperparameters",
)  # fmt: skip
"""The groups that decide the resulting model; `evaluation`, `runtime` and `run` do not."""


def content(config: Config) -> dict[str, Any]:
    """A configuration as plain nested containers, in the form in which recipes write it."""
    plain = {}
    for group in (*SHAPING, "evaluation", "runtime", "run"):
        part = getattr(config, group)
        # Options are dumped by themselves: as a field they would be cut down to the declared base class.
        options = getattr(part, "options", None)
        plain[group] = part.model_dump(mode="json", exclude_none=True, exclude={"options", "fingerprints"})
        plain[group] |= options.model_dump(mode="json", exclude_none=True) if options else {}
    return plain


def fingerprint(config: Config) -> str:
    """SHA-256 over what shapes the model, as 64 hexadecimal digits."""
    shaping = {group: part for group, part in content(config).items() if group in SHAPING}
    return hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()


def run_name(config: Config) -> str:
    """The name of the run directory: as given, else the seed and the first digits of the fingerprint."""
    return config.run.name or f"seed{config.hyperparameters.seed}-{fingerprint(config)[:8]}"


def frozen_recipe(config: Config, precision: str, command: str, fingerprints: dict[str, str] | None = None) -> str:
    """A recipe file that composes to this configuration whatever the defaults are, precision included.

    With `fingerprints` of the splits, a replay on other rows is refused.
    """
    plain = content(config)
    if fingerprints:
        plain["dataset"]["fingerprints"] = dict(fingerprints)
    plain["runtime"]["precision"] = precision
    # The name first, as in `content`, so that freezing a frozen recipe gives the same file.
    plain["run"] = {"name": run_name(config)} | plain["run"] | {"overwrite": False}
    groups = (*SHAPING, "evaluation", "runtime")
    defaults = [{f"override /{group}": None} for group in groups]
    body = yaml.safe_dump({"defaults": defaults, **plain}, sort_keys=False, allow_unicode=True, width=100)
    header = (
        f"{PACKAGE_LINE}\n"
        f"# Frozen recipe of the run {plain['run']['recipe']}/{plain['run']['name']}: every setting spelled out.\n"
        f"#\n"
        f"# Made by:   {' '.join(command.split())}\n"
        f"# Repeat it: in a checkout of Tunebook, accelerate launch run.py +recipe=PATH/OF/THIS/recipe.yaml\n"
        f"#            (relative paths in it count from the folder in which that is typed)\n"
    )
    return header + body


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Shaping keys whose values differ between two contents, as 'key: old → new' lines; what both have comes first."""
    old, new = _flat(before), _flat(after)
    changed = [key for key in old.keys() | new.keys() if old.get(key) != new.get(key)]
    changed.sort(key=lambda key: (key not in old or key not in new, key))
    return [f"{key}: {old.get(key, 'not set')} → {new.get(key, 'not set')}" for key in changed]


def _flat(plain: dict[str, Any]) -> dict[str, Any]:
    flat = {}
    for group in SHAPING:
        stack = [(group, plain.get(group, {}))]
        while stack:
            key, value = stack.pop()
            if isinstance(value, dict) and value:
                stack += [(f"{key}.{name}", inner) for name, inner in value.items()]
            else:
                flat[key] = value
    return flat
