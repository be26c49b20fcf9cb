"""What the hyperparameters cannot ask for together, and what they need installed; from the configuration alone."""

from __future__ import annotations

import importlib.util
import re
from typing import Any

from tunebook.config.schema import Config
from tunebook.errors import Problem, did_you_mean
from tunebook.training import schedule_options

OWN_GROUPS = ("galore", "apollo", "lomo")
"""Parts of the names of optimizers that put the parameters into groups of their own."""
DEFAULT_RATE = 5e-5
"""transformers' own, where `learning_rate` is null."""
DEFAULT_WARMUP = 0.1
"""Of conf/hyperparameters/default.yaml."""
OPTIMIZER_PACKAGES = {
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
"""Part of an optimizer's name -> the module that it needs; the others come with torch and transformers."""


def problems(config: Config) -> list[Problem]:
    """Every setting of `hyperparameters` that cannot be run with another one, or with `runtime`."""
    wanted = config.hyperparameters
    if wanted is None:
        return []
    name = wanted.lr_scheduler_type or "linear"
    problems = [
        *_batches(wanted),
        *_evaluations(wanted),
        *_rates(wanted),
        *_optimizer(wanted),
        *schedule_options.problems(name, wanted.lr_scheduler_kwargs),
        *_schedule(wanted, name),
    ]
    if config.task:
        problems += _best(wanted.metric_for_best_model, config.task.metrics)
    if config.runtime:
        problems += [*_saving(wanted, config.runtime), *_trackers(config.runtime.report_to)]
    return problems


def notices(config: Config) -> list[str]:
    """Which defaults do not apply to the schedule, as sentences for the log."""
    wanted = config.hyperparameters
    name, warmup = wanted.lr_scheduler_type or "linear", wanted.warmup_steps
    if not warmup:
        return []
    if name in schedule_options.RISES:
        key = schedule_options.RISES[name]
        share = getattr(schedule_options.OWN[name].model_validate(wanted.lr_scheduler_kwargs or {}), key)
        where = f"hyperparameters.lr_scheduler_kwargs.{key}"
        why = f"the rate rises over the first {100 * share:.0f} % of the steps ({where})"
    elif name in {"constant", *schedule_options.BY_METRIC}:
        alternative = "; constant_with_warmup has one" if name == "constant" else ""
        why = f"{name} has no warm-up{alternative}"
    else:
        return []
    return [f"hyperparameters.warmup_steps={warmup:g} is not used: {why}"]


def _batches(wanted: Any) -> list[Problem]:
    if not wanted.effective_batch_size or (wanted.gradient_accumulation_steps or 1) <= 1:
        return []
    message = (
        f"follows from effective_batch_size={wanted.effective_batch_size}; set that alone, "
        "or hyperparameters.effective_batch_size=null"
    )
    return [Problem("hyperparameters.gradient_accumulation_steps", message)]


def _evaluations(wanted: Any) -> list[Problem]:
    problems: list[Problem] = []
    if wanted.eval_strategy in {None, "no"}:
        for key, off in (("load_best_model_at_end", "false"), ("early_stopping_patience", "null")):
            if getattr(wanted, key):
                message = f"needs evaluations: set hyperparameters.eval_strategy=epoch, or hyperparameters.{key}={off}"
                problems.append(Problem(f"hyperparameters.{key}", message))
    if wanted.eval_strategy == "steps" and not wanted.eval_steps:
        message = "must be given with eval_strategy=steps, for instance 100"
        problems.append(Problem("hyperparameters.eval_steps", message))
    if wanted.max_steps == 0:
        message = "must be at least 1, or -1 for num_train_epochs to decide"
        problems.append(Problem("hyperparameters.max_steps", message))
    return problems


def _rates(wanted: Any) -> list[Problem]:
    key = "hyperparameters.lowest_learning_rate"
    lowest, highest, decay = wanted.lowest_learning_rate, wanted.learning_rate or DEFAULT_RATE, wanted.layer_lr_decay
    problems: list[Problem] = []
    if lowest is not None and decay is not None:
        message = f"both say how the rate falls from layer to layer; take it out, or layer_lr_decay={decay:g}"
        problems.append(Problem(key, message))
    if lowest is not None and lowest > highest:
        message = f"is the embeddings' and must be at most learning_rate={highest:g}, not {lowest:g}"
        problems.append(Problem(key, message))
    for at, rule in enumerate(wanted.learning_rates):
        try:
            re.compile(rule.pattern)
        except re.error as error:
            message = f"{rule.pattern!r} is no regular expression: {error}"
            problems.append(Problem(f"hyperparameters.learning_rates.{at}.pattern", message))
    return problems


def _optimizer(wanted: Any) -> list[Problem]:
    optimizer = wanted.optim or ""
    problems: list[Problem] = []
    if any(part in optimizer for part in OWN_GROUPS):
        keys = ("layer_lr_decay", "lowest_learning_rate", "learning_rates", "decay_norms_and_biases")
        message = f"cannot be with optim={optimizer}, which groups the parameters its own way; take it out, or optim"
        problems += [Problem(f"hyperparameters.{key}", message) for key in keys if getattr(wanted, key)]
    module = next((module for part, module in OPTIMIZER_PACKAGES.items() if part in optimizer), None)
    if module and importlib.util.find_spec(module) is None:
        message = f"{optimizer} needs the package {module}; install it"
        problems.append(Problem("hyperparameters.optim", message))
    return problems


def _schedule(wanted: Any, name: str) -> list[Problem]:
    problems: list[Problem] = []
    # A frozen recipe writes the default out, so that one does not count as a user's wish.
    if name in schedule_options.RISES and wanted.warmup_steps not in {None, 0, DEFAULT_WARMUP}:
        key = f"lr_scheduler_kwargs.{schedule_options.RISES[name]}"
        share = f"{wanted.warmup_steps:g}" if wanted.warmup_steps < 1 else "SHARE"
        message = (
            f"{name} brings its own rise: set hyperparameters.{key}={share}, a share of all steps, and take this out"
        )
        problems.append(Problem("hyperparameters.warmup_steps", message))
    options = wanted.lr_scheduler_kwargs if isinstance(wanted.lr_scheduler_kwargs, dict) else {}
    if name == "one_cycle" and options.get("moms", ...) is not None and wanted.adam_beta1 is not None:
        message = (
            "would not be used, as one_cycle moves it (lr_scheduler_kwargs.moms); take it out, "
            "or set hyperparameters.lr_scheduler_kwargs.moms=null"
        )
        problems.append(Problem("hyperparameters.adam_beta1", message))
    if name in schedule_options.BY_METRIC and wanted.eval_strategy in {None, "no"}:
        message = f"{name} follows the evaluations: set hyperparameters.eval_strategy=epoch, or choose another schedule"
        problems.append(Problem("hyperparameters.lr_scheduler_type", message))
    return problems


def _best(metric: str | None, metrics: list[str]) -> list[Problem]:
    names = [*metrics, "loss"]
    metric = (metric or "").removeprefix("eval_")
    if not metric or metric in names:
        return []
    message = f"{metric!r} is not measured; {did_you_mean(metric, names)} (task.metrics says what is)"
    return [Problem("hyperparameters.metric_for_best_model", message)]


def _saving(wanted: Any, runtime: Any) -> list[Problem]:
    if not wanted.load_best_model_at_end or runtime.save_strategy in {None, wanted.eval_strategy}:
        return []
    message = (
        f"must equal hyperparameters.eval_strategy={wanted.eval_strategy} while load_best_model_at_end is true; "
        "leave it out, or set hyperparameters.load_best_model_at_end=false"
    )
    return [Problem("runtime.save_strategy", message)]


def _trackers(names: str | list[str] | None) -> list[Problem]:
    listed = [names] if isinstance(names, str) else names or []
    missing = [name for name in listed if name not in {"none", "all"} and importlib.util.find_spec(name) is None]
    message = "{} is not installed; install it, or write runtime.report_to=none"
    return [Problem("runtime.report_to", message.format(name)) for name in missing]
