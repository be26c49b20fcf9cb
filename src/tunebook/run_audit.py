"""The audit of a run's rows, and of a recipe's without a run. Builds no model."""

from __future__ import annotations

import logging
from typing import Any

import datasets
import numpy as np

from tunebook.config import registry
from tunebook.config.schema import Config
from tunebook.context import RunContext
from tunebook.data.audit.audit import Audit, audit
from tunebook.data.audit.facts import facts_of
from tunebook.data.encoding import encode_split
from tunebook.data.prepare import PreparedData, rows_of
from tunebook.errors import ConfigurationError, DataError
from tunebook.reporting.audit_page import audit_table
from tunebook.setup import layout_of, misfits, sampling_and_losses
from tunebook.tasks.base import Task

logger = logging.getLogger("tunebook")


def audit_data(context: RunContext) -> Audit | None:
    """The audit of a run's data, by the main process, as a table in the log; None on the others, or not wanted."""
    if not (context.config.run.audit and context.main):
        return None
    result = _audit(context.config, context.data, context.layout.effective, context.encoded, context.processor)
    logger.info("%s", audit_table(result))
    return result


def audit_recipe(config: Config) -> Audit:
    """The audit of a recipe's data without a run; of the model only the tokenizer is loaded.

    Raises:
        DataError: the rows cannot be used, or lack what the recipe asks of them.
        ConfigurationError: weights of classes and the like do not fit the labels.
    """
    task: Task = registry.load("task", config.task.name).Task(config.task.options)
    data = rows_of(config, task)
    problems = misfits(config, task, data, evaluates=False)  # an audit evaluates nothing
    try:
        sampling_and_losses(config, task, data)
    except (ConfigurationError, DataError) as error:
        problems += error.problems
    if problems:
        raise DataError(problems)
    processor = None if task.lazy else task.load_processor(config.model)
    splits = {} if task.lazy else data.splits
    encoded = {name: encode_split(split, task, processor, None, data.targets) for name, split in splits.items()}
    return _audit(config, data, layout_of(config, 1).effective, encoded, processor)


def _audit(
    config: Config, data: PreparedData, effective: int, encoded: dict[str, datasets.Dataset], processor: Any
) -> Audit:
    splits = encoded.items()
    lengths = {name: np.asarray(split["length"][:]) for name, split in splits if "length" in split.column_names}
    return audit(data, facts_of(config, effective, lengths, processor))
