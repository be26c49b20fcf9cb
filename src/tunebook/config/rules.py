"""Combinations that cannot be run, told from the configuration alone."""

from __future__ import annotations

from pathlib import Path

from tunebook.config import (
    adapter_rules,
    freezing_rules,
    model_rules,
    packages,
    rate_rules,
    registry,
    regularization_rules,
)
from tunebook.config.data_groups import AUXILIARY
from tunebook.config.places import Places
from tunebook.config.schema import Config
from tunebook.errors import Problem, did_you_mean


def problems(config: Config, places: Places) -> list[Problem]:
    """Every combination in a typed configuration that cannot be run. Groups that are None are not judged."""
    found: list[Finding] = []
    if config.model:
        found += [*_model(config, places), *_local_folder(config)]
    if config.task and config.dataset:
        found += _columns(config, places)
    if config.task:
        found += _kind_of_label(config)
    if config.hyperparameters:
        found += [*_batches(config), *_evaluations(config), *rate_rules.problems(config)]
    if config.hyperparameters and config.task:
        found += _best(config)
    if config.hyperparameters and config.runtime:
        found += [*_saving(config), *_packages(config)]
    found += freezing_rules.problems(config)
    found += adapter_rules.problems(config)
    found += model_rules.problems(config)
    found += regularization_rules.problems(config)
    told = [Problem(key, message, places.of(key)) for key, message in found]
    return told


Finding = tuple[str, str]
KINDS = {"single_label": "one label a row", "multi_label": "several labels a row", "regression": "one number a row"}


def _model(config: Config, places: Places) -> list[Finding]:
    model = config.model
    found: list[Finding] = []
    pinned = places.of("model.revision")
    if model.revision and pinned.startswith("conf/") and not places.of("model.name_or_path").startswith("conf/"):
        message = f"belongs to another model ({pinned}); for {model.name_or_path} add model=auto in front"
        if not _is_path(model.name_or_path or ""):
            found.append(("model.revision", message))
    if model.name_or_path is None and model.config is None:
        message = "must be given: a Hub id or a folder; to train from scratch give model.config instead"
        found.append(("model.name_or_path", message))
    if model.name_or_path is not None and model.config is not None:
        message = f"starts from scratch, but model.name_or_path={model.name_or_path} is set; add model=auto in front"
        found.append(("model.config", message))
    if model.config is not None and "model_type" not in model.config:
        found.append(("model.config", "must say model_type, such as resnet or vit"))
    for key in model.config or {}:
        if key in {"_target_", "trust_remote_code", "auto_map"}:
            found.append((f"model.config.{key}", "would run code from elsewhere; take it out"))
    return found


def _is_path(name: str) -> bool:
    return name.startswith((".", "/", "~")) or Path(name).is_dir()


def _local_folder(config: Config) -> list[Finding]:
    name = config.model.name_or_path or ""
    path = Path(name).expanduser()
    if not _is_path(name) or path.is_dir():
        return []
    beside = [entry.name for entry in path.parent.iterdir() if entry.is_dir()] if path.parent.is_dir() else []
    hint = did_you_mean(path.name, beside).replace("allowed:", f"{path.parent} has:")
    return [("model.name_or_path", f"there is no folder {name}" + (f"; {hint}" if beside else ""))]


def _columns(config: Config, places: Places) -> list[Finding]:
    roles = registry.load("task", config.task.name).ROLES
    found = []
    for role in config.dataset.columns:
        key = f"dataset.columns.{role}"
        message = f"{config.task.name} has no such role; {did_you_mean(role, [*roles, *AUXILIARY])}"
        if places.of(key).startswith("conf/"):
            known = ", ".join(roles)
            message = f"this dataset is for another task; {config.task.name} takes {known}: choose another dataset=NAME"
        if role not in roles and role not in AUXILIARY:
            found.append((key, message))
    return found


def _kind_of_label(config: Config) -> list[Finding]:
    """A loss, a sampling method or a label smoothing that the task's kind of label cannot have."""
    task = registry.load("task", config.task.name).Task(config.task.options)
    answer, target = task.answer, task.target_type
    found: list[Finding] = []
    for group, selector in (("loss", "name"), ("sampling", "method")):
        name = getattr(getattr(config, group), selector, None)  # None: the group cannot be judged
        takes = registry.load(group, name).TARGETS if name else {target}
        if target in takes:
            continue
        others = [other for other in registry.names(group) if target in registry.load(group, other).TARGETS]
        what = " or ".join(words for kind, words in KINDS.items() if kind in takes)
        message = f"{name} is for {what}; {config.task.name} has {KINDS[target]}: use {_one_of(others)}"
        found.append((f"{group}.{selector}", message))
    factor = config.hyperparameters.label_smoothing_factor if config.hyperparameters else None
    if factor and config.loss and not found:
        key = "hyperparameters.label_smoothing_factor"
        name = answer.loss if config.loss.name == "default" else config.loss.name
        own_factor = getattr(config.loss.options, "label_smoothing", None)
        if "label_smoothing" not in registry.load("loss", name).Options.model_fields:
            found.append((key, f"the loss {name} has no labels to smooth; set it to 0"))
        elif own_factor is not None:
            found.append((key, f"is said twice: loss.label_smoothing={own_factor:g} too; set one of them to null"))
    return found


def _one_of(names: list[str]) -> str:
    return " or ".join([part for part in (", ".join(names[:-1]), names[-1]) if part])


def _batches(config: Config) -> list[Finding]:
    wanted = config.hyperparameters
    if wanted.effective_batch_size and (wanted.gradient_accumulation_steps or 1) > 1:
        return [
            (
                "hyperparameters.gradient_accumulation_steps",
                f"follows from effective_batch_size={wanted.effective_batch_size}; set that alone, "
                "or hyperparameters.effective_batch_size=null",
            )
        ]
    return []


def _best(config: Config) -> list[Finding]:
    wanted = config.hyperparameters
    names = [*config.task.metrics, "loss"]
    found: list[Finding] = []
    metric = (wanted.metric_for_best_model or "").removeprefix("eval_")
    if metric and metric not in names:
        found.append(
            (
                "hyperparameters.metric_for_best_model",
                f"{metric!r} is not measured; {did_you_mean(metric, names)} (task.metrics says what is)",
            )
        )
    return found


def _evaluations(config: Config) -> list[Finding]:
    wanted = config.hyperparameters
    found = []
    if wanted.eval_strategy in {None, "no"}:
        for key in ("load_best_model_at_end", "early_stopping_patience"):
            if getattr(wanted, key):
                off = f"hyperparameters.{key}={'false' if key.startswith('load') else 'null'}"
                message = f"needs evaluations: set hyperparameters.eval_strategy=epoch, or {off}"
                found.append((f"hyperparameters.{key}", message))
    if wanted.eval_strategy == "steps" and not wanted.eval_steps:
        found.append(("hyperparameters.eval_steps", "must be given with eval_strategy=steps, for instance 100"))
    if wanted.max_steps is not None and wanted.max_steps == 0:
        found.append(("hyperparameters.max_steps", "must be at least 1, or -1 for num_train_epochs to decide"))
    return found


def _saving(config: Config) -> list[Finding]:
    wanted, runtime = config.hyperparameters, config.runtime
    if not wanted.load_best_model_at_end or runtime.save_strategy in {None, wanted.eval_strategy}:
        return []
    return [
        (
            "runtime.save_strategy",
            f"must equal hyperparameters.eval_strategy={wanted.eval_strategy} while load_best_model_at_end is true; "
            "leave it out, or set hyperparameters.load_best_model_at_end=false",
        )
    ]


def _packages(config: Config) -> list[Finding]:
    found = []
    if module := packages.of_optimizer(config.hyperparameters.optim):
        found.append(
            ("hyperparameters.optim", f"{config.hyperparameters.optim} needs the package {module}; install it")
        )
    for tracker in packages.of_trackers(config.runtime.report_to):
        found.append(("runtime.report_to", f"{tracker} is not installed; install it, or write runtime.report_to=none"))
    return found
