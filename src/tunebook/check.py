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
    if config is not None:
        problems = [*_metric_problems(config), *_data_problems(config)]
        problems = [Problem(p.key, p.message, p.place or composed.places.of(p.key)) for p in problems]
    if problems or config is None:
        raise ConfigurationError(problems)
    return config


def _data_problems(config: Config) -> list[Problem]:
    roles = registry.load("task", config.task.name).ROLES
    return list(preflight.problems(config.dataset, roles))


def _metric_problems(config: Config) -> list[Problem]:
    problems = list(catalog.problems(config.task.metrics, "task.metrics"))
    best = (config.hyperparameters.metric_for_best_model or config.task.metrics[0]).removeprefix("eval_")
    known = None if problems or best == "loss" else catalog.direction(best)
    stated = config.hyperparameters.greater_is_better
    if not problems and best != "loss" and known is None and stated is None:
        message = f"must be given: Tunebook cannot know whether more of {best} is better"
        problems.append(Problem("hyperparameters.greater_is_better", message))
    if known is not None and stated is not None and stated != known:
        message = f"of {best} is {str(known).lower()}, as the metric says; leave it out"
        problems.append(Problem("hyperparameters.greater_is_better", message))
    return problems
