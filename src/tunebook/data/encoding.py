"""Prepared rows -> encoded examples, through the task that is handed in. Knows no task and no model by itself."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from datasets import Dataset

from tunebook.data.columns import ROW
from tunebook.data.labels.base import Targets

logger = logging.getLogger("tunebook")

POSITION = "position"
"""Of an example: the place of its row in the prepared split."""


def encode_split(split: Dataset, task: Any, processor: Any, model_config: Any, targets: Targets) -> Dataset:
    """The examples of prepared rows as `Task.encode` makes them: model inputs, `row` and `position`.

    They are memory-mapped, or encoded when they are read (`Task.lazy`: images).
    """
    settings = {"task": task, "processor": processor, "model_config": model_config, "targets": targets}
    if task.lazy:
        place = {row: at for at, row in enumerate(split[ROW][:])}
        return split.with_transform(lambda rows: _encoded(rows, [place[row] for row in rows[ROW]], **settings))
    encoded = split.map(
        _encoded,
        batched=True,
        with_indices=True,
        fn_kwargs=settings,
        remove_columns=split.column_names,
        desc="Tokenizing",
    )
    _report_cut(encoded, cut_length(task.options))
    return encoded


def cut_length(options: Any) -> int | None:
    """The tokens at which a task's options cut a text; None: they cut none, as where long texts are read in windows."""
    return None if hasattr(options, "stride") else getattr(options, "max_length", None)


def positions_of(encoded: Dataset) -> np.ndarray:
    """Of each example, the place of its row in the prepared split; (examples,)."""
    if POSITION not in encoded.column_names:
        return np.arange(len(encoded))  # lazy: one example a row
    return np.asarray(encoded.with_format("numpy")[POSITION][:], dtype=np.int64)


def _encoded(
    rows: dict[str, list[Any]], positions: list[int], task: Any, processor: Any, model_config: Any, targets: Targets
) -> dict[str, Any]:
    return task.encode({**rows, POSITION: positions}, processor, model_config, targets)


def _report_cut(encoded: Dataset, max_length: int | None) -> None:
    if max_length is None or "length" not in encoded.column_names or not len(encoded):
        return
    full = int((np.asarray(encoded.with_format("numpy")["length"][:]) == max_length).sum())
    if full:
        message = "%d of %d rows (%.1f %%) fill max_length=%d and may be cut"
        logger.info(message, full, len(encoded), 100 * full / len(encoded), max_length)
