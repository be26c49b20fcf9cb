"""Combinations that cannot be run, told from the configuration alone."""

from __future__ import annotations

from pathlib import Path

from tunebook.config import registry
from tunebook.config.places import Places
from tunebook.config.schema import Config
from tunebook.errors import Problem, did_you_mean


def problems(config: Config, places: Places) -> list[Problem]:
    """Every combination in a typed configuration that cannot be run."""
    found = [*_model(config, places), *_columns(config), *_batches(config), *_best(config), *_saving(config)]
    return [Problem(key, message, places.of(key)) for key, message in found]


Finding = tuple[str, str]


def _model(config: Config, places: Places) -> list[Finding]:
    model = config.model
    found: list[Finding] = []
    pinned = places.of("model.revision")
    if model.revision and pinned.startswith("conf/") and not places.of("model.name_or_path").startswith("conf/"):
        message = f"belongs to another model ({pinned}); for {model.name_or_path} add model=auto in front"
        if not Path(model.name_or_path or "").expanduser().exists():
            found.append(("model.revision", message))
    if (model.name_or_path is None) == (model.config is None):
        found.append(("model.name_or_path", "give either model.name_or_path or model.config (to train from scratch)"))
    if model.config is not None and "model_type" not in model.config:
        found.append(("model.config", "must say model_type, such as resnet or vit"))
    for key in model.config or {}:
        if key in {"_target_", "trust_remote_code", "auto_map"}:
            found.append((f"model.config.{key}", "would run code from elsewhere; take it out"))
    return found


def _columns(config: Config) -> list[Finding]:
    roles = registry.load("task", config.task.name).ROLES
    return [
        (f"dataset.columns.{role}", f"{config.task.name} has no such role; {did_you_mean(role, roles)}")
        for role in config.dataset.columns
        if role not in roles
    ]


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
    found = []
    metric = (wanted.metric_for_best_model or "").removeprefix("eval_")
    if metric and metric not in names:
        found.append(
            (
                "hyperparameters.metric_for_best_model",
                f"{metric!r} is not measured; {did_you_mean(metric, names)} (task.metrics says what is)",
            )
        )
    if wanted.eval_strategy == "no":
        for key in ("load_best_model_at_end", "early_stopping_patience"):
            if getattr(wanted, key):
                found.append((f"hyperparameters.{key}", "needs evaluations: set hyperparameters.eval_strategy=epoch"))
    if wanted.eval_strategy == "steps" and not wanted.eval_steps:
        found.append(("hyperparameters.eval_steps", "must be given with eval_strategy=steps"))
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
