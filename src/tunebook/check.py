"""Every problem of a command, before torch is imported: the one place that asks all rooms for their rules.

In order: the form of the configuration (`config.check`), the rules of each kind and of each chosen module
(`problems(config)` in their own files), the rules of rooms, and what depends on where a key was set.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from tunebook import callable_module
from tunebook.config import check as config_check
from tunebook.config import previous_run, registry
from tunebook.config.compose import Composed
from tunebook.config.data_groups import AUXILIARY
from tunebook.config.messages import listed, target_order, target_words
from tunebook.config.places import Places
from tunebook.config.schema import NAMED, Config
from tunebook.data import preflight
from tunebook.data.label_noise import requirements as label_noise
from tunebook.errors import ConfigurationError, Problem, did_you_mean
from tunebook.evaluation import catalog
from tunebook.models import problems as model_rules
from tunebook.tasks.base import Task
from tunebook.training import notices as training_notices
from tunebook.training import problems as training_rules


def check(composed: Composed) -> Config:
    """The typed configuration.

    Raises:
        ConfigurationError: with every problem, each with its key, place and fix.
    """
    config, problems = config_check.check(composed)
    # A rule needs some groups only, so a mistake in another one does not hide what it finds.
    more = [*_columns(config, composed.places), *_revision(config, composed.places), *_targets(config)]
    for module in (*_modules(config), model_rules, training_rules):
        if hasattr(module, "problems"):
            more += module.problems(config)
    more += [*_metrics(config), *_data(config), *_previous_runs(config)]
    problems += [Problem(p.key, p.message, p.place or composed.places.of(p.key)) for p in more]
    if problems:
        raise ConfigurationError(dict.fromkeys(problems))
    return config


def notices(config: Config) -> list[str]:
    """One sentence for each two settings of a checked configuration that overlap, and for columns not in use."""
    return [*preflight.notices(config), *training_notices.notices(config)]


def hints(config: Config) -> list[str]:
    """What a chosen module makes of settings and defaults: sentences of its kind, of itself and of the schedule."""
    modules = [module for module in _modules(config) if hasattr(module, "notices")]
    return [*training_rules.notices(config), *(sentence for module in modules for sentence in module.notices(config))]


def _modules(config: Config) -> Iterator[ModuleType]:
    """The contract of each kind, which may hold rules for all of its modules, and each module that is chosen."""
    chosen: list[tuple[str, str]] = []
    for group, (_, selector, kind) in NAMED.items():
        if (part := getattr(config, group)) is not None:
            chosen.append((kind, getattr(part, selector)))
    methods = config.regularization
    names = [] if methods is None else list(type(methods).model_fields)
    chosen += [("regularization", name) for name in names if getattr(methods, name) is not None]
    for kind in dict.fromkeys(kind for kind, _ in chosen):
        if (contract := registry.contract(kind)) is not None:
            yield contract
    for kind, name in chosen:
        yield registry.load(kind, name)


def _task(config: Config) -> Task | None:
    if config.task is None:
        return None
    task: Task = registry.load("task", config.task.name).Task(config.task.options)
    return task


def _columns(config: Config, places: Places) -> list[Problem]:
    """Columns for roles that the task does not have."""
    task = _task(config)
    if task is None or config.dataset is None:
        return []
    name, problems = config.task.name, []
    for role in config.dataset.columns:
        key = f"dataset.columns.{role}"
        message = f"{name} has no such role; {did_you_mean(role, [*task.columns, *AUXILIARY])}"
        if places.of(key).startswith("conf/"):
            roles = ", ".join(task.columns)
            message = f"this dataset is for another task; {name} takes {roles}: choose another dataset=NAME"
        if role not in task.columns and role not in AUXILIARY:
            problems.append(Problem(key, message))
    return problems


def _revision(config: Config, places: Places) -> list[Problem]:
    """A revision that conf/ pins for another model than the one that the user names."""
    model, pinned = config.model, places.of("model.revision")
    if model is None or not model.revision or model_rules.is_path(model.name_or_path or ""):
        return []
    if not pinned.startswith("conf/") or places.of("model.name_or_path").startswith("conf/"):
        return []
    message = f"belongs to another model ({pinned}); for {model.name_or_path} add model=auto in front"
    return [Problem("model.revision", message)]


def _targets(config: Config) -> list[Problem]:
    """A loss or a sampling method that does not take what the task gives."""
    task = _task(config)
    problems: list[Problem] = []
    for kind, part, selector in (("loss", config.loss, "name"), ("sampling", config.sampling, "method")):
        if task is None or part is None:
            continue
        name = getattr(part, selector)
        takes = registry.load(kind, name).TARGETS
        if task.target_type not in takes:
            fitting = [
                other for other in registry.names(kind) if task.target_type in registry.load(kind, other).TARGETS
            ]
            what = " or ".join(target_words(target) for target in sorted(takes, key=target_order))
            message = f"{name} is for {what}; {config.task.name} has {target_words(task.target_type)}"
            message += f": use {listed(fitting)}" if fitting else f", which no {kind} is for"
            problems.append(Problem(f"{kind}.{selector}", message))
    return problems


def _data(config: Config) -> list[Problem]:
    task = _task(config)
    if task is None or config.dataset is None or not set(config.dataset.columns) <= {*task.columns, *AUXILIARY}:
        return []  # unknown roles are reported already, and a file would be searched for the wrong columns
    problems = list(preflight.problems(config.dataset, task.columns))
    if config.cleaning is not None:
        problems += label_noise.problems(config.cleaning, "label_noise" in task.capabilities)
    return problems


def _previous_runs(config: Config) -> list[Problem]:
    """Of the finished runs that are named: whether they are there, with rows that this run's backbone can read."""
    problems: list[Problem] = []
    task = _task(config)
    for key, folder in dict.fromkeys(previous_run.named_in(config)):
        try:
            previous = previous_run.read(folder, key)
        except ConfigurationError as error:
            problems += error.problems
            continue
        theirs = _task(previous.config)
        if theirs is None:
            continue  # `read` refuses a recipe without a task
        if task is not None and _inputs(task) != _inputs(theirs):
            name = previous.config.task.name
            message = f"{folder} learned {name}, which reads {_inputs(theirs)}; this run reads {_inputs(task)}"
            problems.append(Problem(key, message))
        missing = preflight.problems(previous.config.dataset, theirs.columns, previous.cwd)
        problems += [Problem(key, f"{previous.title}: {one.key} {one.message}") for one in missing]
    return problems


def _inputs(task: Task) -> str:
    """What a task's backbone reads, in words."""
    return ", ".join(role for role, column in task.columns.items() if column.required and not column.target)


def _metrics(config: Config) -> list[Problem]:
    task = _task(config)
    if task is None:
        return []
    problems = list(catalog.problems(config.task.metrics, "task.metrics", task.target_type))
    if problems or config.hyperparameters is None:
        return problems
    best = (config.hyperparameters.metric_for_best_model or config.task.metrics[0]).removeprefix("eval_")
    known = None if best not in config.task.metrics else catalog.direction(best)
    stated = config.hyperparameters.greater_is_better
    key = "hyperparameters.greater_is_better"
    if best in config.task.metrics and known is None and stated is None:
        message = f"must be given, true or false: Tunebook cannot know whether more of {best} is better"
        problems.append(Problem(key, message))
    if known is not None and stated is not None and stated != known:
        message = f"must be {str(known).lower()} for {best}, or be left out: the metric itself says so"
        problems.append(Problem(key, message))
    return problems


callable_module(__name__)
