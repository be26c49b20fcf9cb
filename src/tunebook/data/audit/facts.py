"""What the audit needs to know that the rows do not hold: tokens, batch, seed. Knows the configuration, no model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tunebook.config.schema import CleaningConfig, Config
from tunebook.data.encoding import cut_length

Measure = Callable[[list[str], list[str] | None], list[int]]


@dataclass(frozen=True)
class AuditFacts:
    """What the rows do not hold themselves.

    Args:
        effective_batch: rows per optimizer step.
        seed: of every sample that a check takes.
        max_length: in tokens, at which rows are cut; None: none are.
        lengths: split to the tokens of each encoded example, after cutting; empty for images.
        measure: tokens of some texts (and second texts) before cutting; None: not known.
        cleaning: the policies that the rows were cleaned by.
        carved: splits that were taken from the training rows, and keep their row numbers.
    """

    effective_batch: int = 32
    seed: int = 42
    max_length: int | None = None
    lengths: Mapping[str, np.ndarray] = field(default_factory=dict)
    measure: Measure | None = None
    cleaning: CleaningConfig = field(default_factory=CleaningConfig)
    carved: tuple[str, ...] = ()


def facts_of(config: Config, effective_batch: int, lengths: Mapping[str, np.ndarray], processor: Any) -> AuditFacts:
    """The facts of a run with `effective_batch` rows per optimizer step.

    `lengths` are each split's column `length` of its encoded examples; without any the processor is not used.
    """
    split = config.dataset.split
    validation = ("validation",) if split.validation is not None or split.k_fold is not None else ()
    return AuditFacts(
        effective_batch=effective_batch,
        seed=config.hyperparameters.seed,
        max_length=cut_length(config.task.options) if lengths else None,
        lengths={name: np.asarray(values) for name, values in lengths.items()},
        measure=_measure_with(processor) if lengths else None,
        cleaning=config.cleaning,
        carved=(*validation, *(("test",) if split.test is not None else ())),
    )


def _measure_with(tokenizer: Any) -> Measure:
    """Counts tokens, special ones included, without cutting and without the library's warning about long rows."""

    def measure(texts: list[str], seconds: list[str] | None) -> list[int]:
        return [len(ids) for ids in tokenizer(texts, seconds, truncation=False, verbose=False)["input_ids"]]

    return measure
