"""Weights of labels for the losses: as given or from their counts, scaled to change no learning rate. Knows no logits.

Every loss with weights takes them from here, so that `balanced` or `{spam: 5}` means the same in each of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Discriminator, Field, Tag

from tunebook.data.sampling.base import TrainTargets
from tunebook.errors import ConfigurationError, Problem, did_you_mean


def _form(value: Any) -> str:
    """Which of its forms a value is meant to have, so that a mistake in it is reported for that form only."""
    return next((kind.__name__ for kind in (list, dict) if isinstance(value, kind)), "str")


Weight = Annotated[float, Field(gt=0, strict=True)]
Weights = Annotated[list[Weight], Tag("list")] | Annotated[dict[str, Weight], Tag("dict")]
ClassWeights = Annotated[Annotated[Literal["balanced", "effective"], Tag("str")] | Weights, Discriminator(_form)]
PositiveWeights = Annotated[Annotated[Literal["balanced"], Tag("str")] | Weights, Discriminator(_form)]

CLASS_KEY = "loss.class_weights"
POSITIVE_KEY = "loss.positive_weights"


def class_weights(given: ClassWeights | None, beta: float, targets: TrainTargets) -> np.ndarray | None:
    """The weight of each class, scaled so that their mean over the training rows is 1.

    `effective` is one over the class's effective number of samples, (1 - beta^n) / (1 - beta) of n rows (Cui et al.
    2019, arXiv 1901.05555): beta 0 weighs all classes alike, close to 1 it is `balanced`.

    Returns:
        (labels,) in float64; None where no weights are given.

    Raises:
        ConfigurationError: unknown labels, another number of weights than labels, or a class without rows where
            its weight would follow from them.
    """
    if given is None:
        return None
    counts = targets.counts
    if not isinstance(given, str):
        weights = _stated(CLASS_KEY, given, targets.names)
    else:
        _refuse_empty(CLASS_KEY, targets)
        weights = 1 / counts if given == "balanced" else (1 - beta) / (1 - np.power(beta, counts))
    return weights * counts.sum() / (weights * counts).sum()


def positive_weights(given: PositiveWeights | None, maximum: float, targets: TrainTargets) -> np.ndarray | None:
    """How much a row that has a label counts against one that has not, for each label; PyTorch's `pos_weight`.

    `balanced` is the rows without the label over those with it, between 1 / maximum and maximum. Returns and raises
    as `class_weights`.
    """
    if given is None:
        return None
    if given != "balanced":
        return _stated(POSITIVE_KEY, given, targets.names)
    _refuse_empty(POSITIVE_KEY, targets)
    return np.clip((len(targets.values) - targets.counts) / targets.counts, 1 / maximum, maximum)


def share_of_weights(weights: np.ndarray | None, targets: TrainTargets) -> float:
    """What positive weights are multiplied with so that their mean over training rows and labels is 1."""
    if weights is None:
        return 1.0
    cells = targets.values.shape[0] * targets.values.shape[1]
    return float(cells / (cells + ((weights - 1) * targets.counts).sum()))


def _refuse_empty(key: str, targets: TrainTargets) -> None:
    empty = [name for name, count in zip(targets.names, targets.counts, strict=True) if not count]
    if empty:
        message = (
            f"no training row has {', '.join(empty)}, so that no weight follows from the rows; "
            "give the weights as {label: weight}, or take the label out of dataset.labels"
        )
        raise ConfigurationError(Problem(key, message))


def _stated(key: str, given: Sequence[float] | Mapping[str, float], names: Sequence[str]) -> np.ndarray:
    if isinstance(given, Mapping):
        if unknown := [name for name in given if name not in names]:
            wrong = [Problem(f"{key}.{name}", f"no such label; {did_you_mean(name, names)}") for name in unknown]
            raise ConfigurationError(wrong)
        return np.array([given.get(name, 1.0) for name in names], dtype=np.float64)
    if len(given) != len(names):
        message = f"{len(given)} weights for {len(names)} labels; they are, in this order: {', '.join(names)}"
        raise ConfigurationError(Problem(key, message))
    return np.array(given, dtype=np.float64)
