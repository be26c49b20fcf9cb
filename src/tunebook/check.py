"""Everything that can be told about a recipe before torch is imported: keys, combinations, metrics, files."""

from __future__ import annotations

from tunebook.answers.base import TARGET_TYPES
from tunebook.config import check as config_check
from tunebook.config import previous_run, registry
from tunebook.config.compose import Composed
from tunebook.config.data_groups import AUXILIARY
from tunebook.config.schema import Config
from tunebook.data import preflight
from tunebook.data.label_noise import requirements as label_noise
from tunebook.errors import ConfigurationError, Problem
from tunebook.evaluation import catalog


def check(composed: Composed) -> Config:
    """The typed configuration.

    Raises:
        ConfigurationError: with every problem found, each with its key, place and mend.
    """
    config, problems = config_check.check(composed)
    # Each of these needs some groups only, so a mistake in another one does not keep them from being told.
    further = [*_metric_problems(config), *_data_problems(config), *_augmentation_problems(config)]
    further += _previous_problems(config)
    problems += [Problem(p.key, p.message, p.place or composed.places.of(p.key)) for p in further]
    if problems:
        raise ConfigurationError(dict.fromkeys(problems))
    return config


def _data_problems(config: Config) -> list[Problem]:
    if config.task is None or config.dataset is None:
        return []
    roles = registry.load("task", config.task.name).ROLES
    if not set(config.dataset.columns) <= {*roles, *AUXILIARY}:
        return []  # the columns are told of already, and the file's would be judged by the wrong names
    found = list(preflight.problems(config.dataset, roles))
    if config.cleaning is not None:
        kind = registry.load("task", config.task.name).Task(config.task.options).answer.kind
        found += label_noise.problems(config.cleaning, kind)
    return found


def _previous_problems(config: Config) -> list[Problem]:
    """Of the finished runs that are named: whether they are there, with rows that this run's backbone can read."""
    found: list[Problem] = []
    for key, folder in dict.fromkeys(previous_run.named_in(config)):
        try:
            previous = previous_run.read(folder, key)
        except ConfigurationError as error:
            found += error.problems
            continue
        if config.task is not None and (unlike := previous_run.of_same_kind(previous, config)):
            found.append(Problem(key, unlike))
        roles = registry.load("task", previous.config.task.name).ROLES
        missing = preflight.problems(previous.config.dataset, roles, previous.cwd)
        found += [Problem(key, f"{previous.title}: {one.key} {one.message}") for one in missing]
    return found


def _augmentation_problems(config: Config) -> list[Problem]:
    if config.augmentation is None:
        return []
    method = config.augmentation.method
    module = registry.load("augmentation", method)
    found = list(module.problems(config.augmentation.options)) if hasattr(module, "problems") else []
    if config.task is not None:
        roles = set(registry.load("task", config.task.name).ROLES)
        if module.ROLES and not module.ROLES & roles:
            message = f"{method} varies {' and '.join(sorted(module.ROLES))}; {config.task.name} has none of it"
            found.append(Problem("augmentation.method", message))
    if config.dataset is not None:
        for role in sorted(getattr(module, "COLUMNS", set()) - set(config.dataset.columns)):
            message = f"must name the column that augmentation={method} reads, as in dataset.columns.{role}=COLUMN"
            found.append(Problem(f"dataset.columns.{role}", message))
    return found


def _metric_problems(config: Config) -> list[Problem]:
    if config.task is None:
        return []
    answer = registry.load("task", config.task.name).Task(config.task.options).answer
    problems = list(catalog.problems(config.task.metrics, "task.metrics", TARGET_TYPES[answer.kind]))
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
