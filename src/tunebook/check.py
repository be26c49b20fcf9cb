"""Everything that can be told about a recipe before torch is imported: keys, combinations, metrics, files."""

from __future__ import annotations

from tunebook.config import check as config_check
from tunebook.config import registry
from tunebook.config.compose import Composed
from tunebook.config.schema import Config
from tunebook.data import preflight
from tunebook.errors import ConfigurationError, Problem
from tunebook.evaluation import catalog


def check(composed: Composed) -> Config:
    """The typed configuration.

    Raises:
        ConfigurationError: with every problem found, each with its key, place and mend.
    """
    config, problems = config_check.check(composed)
    # Each of these needs some groups only, so a mistake in another one does not keep them from being told.
    further = [*_metric_problems(config), *_data_problems(config)]
    problems += [Problem(p.key, p.message, p.place or composed.places.of(p.key)) for p in further]
    if problems:
        raise ConfigurationError(dict.fromkeys(problems))
    return config


def _data_problems(config: Config) -> list[Problem]:
    if config.task is None or config.dataset is None:
        return []
    roles = registry.load("task", config.task.name).ROLES
    if not set(config.dataset.columns) <= set(roles):
        return []  # the columns are told of already, and the file's would be judged by the wrong names
    return list(preflight.problems(config.dataset, roles))


def _metric_problems(config: Config) -> list[Problem]:
    if config.task is None:
        return []
    problems = list(catalog.problems(config.task.metrics, "task.metrics"))
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
