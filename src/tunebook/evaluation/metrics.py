"""Computes the metrics that a recipe names. Knows arrays, lists and the catalog; nothing of models or the Trainer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from tunebook.errors import ConfigurationError, NothingReached, Problem
from tunebook.evaluation import catalog
from tunebook.evaluation.tunebook_metrics.table import Metric

KEY = "task.metrics"
_DTYPES: dict[str, Any] = {"single_label": np.int64, "multi_label": np.int64, "regression": np.float64}
"""Target types whose predictions are arrays."""


class Metrics:
    """The metrics of one run. Computing one needs no file and no other rank.

    Args:
        names: metrics as recipes write them: shipped (`f1_macro`, `f1:spam`), of a plug-in, or of the Hub (`hub:bleu`).
        target_type: what they score: `single_label`, `multi_label`, `regression`, `token_labels`, `text`, …
        labels: names of the labels in the order of their ids; empty where there are none.
        positive: of two classes, the id of the one whose probability metrics of probabilities take.

    Raises:
        ConfigurationError: a name is not allowed or scores other targets, a label is not there, or a Hub metric needs a
            package that is not installed.
        NothingReached: a Hub metric is neither reachable nor cached.
    """

    def __init__(
        self, names: Iterable[str], target_type: str = "single_label", labels: Sequence[str] = (), positive: int = 1
    ) -> None:
        self.names, self.target_type, self.labels, self.positive = list(names), target_type, list(labels), positive
        problems = catalog.problems(self.names, KEY, target_type)
        if problems := problems or catalog.unknown_labels(self.names, self.labels, KEY):
            raise ConfigurationError(problems)
        self._metrics = {name: metric for name in self.names if (metric := catalog.find(name)) is not None}
        ranking = [name for name, metric in self._metrics.items() if metric.takes == "probabilities"]
        if target_type == "single_label" and len(self.labels) > 2 and ranking:
            message = f"needs each class's probability, which is saved for two classes only; here are {len(labels)}"
            raise ConfigurationError([Problem(f"{KEY}={name!r}", message) for name in ranking])
        self._hub = {name: _load_from_hub(name) for name in self.names if catalog.is_hub(name)}

    def compute(
        self,
        predictions: Any,
        references: Any,
        probabilities: np.ndarray | None = None,
        loss: float | None = None,
    ) -> dict[str, float]:
        """Every metric of a split.

        Args:
            predictions: class ids (rows,), 0 or 1 of each label (rows, labels), numbers (rows,), a list of tag names a
                row, or texts.
            references: in the same form.
            probabilities: of each label, (rows, labels), for metrics that take them.
            loss: the split's mean loss, for metrics that take it.

        Returns:
            Exactly the requested names, in the order of the request.

        Raises:
            ValueError: no rows, the two differ in shape, or what a metric needs is not given.
            ConfigurationError: a Hub metric cannot score these predictions, or gives no single number.
        """
        predictions, references = self._checked(predictions, references)
        return {name: self._one(name, predictions, references, probabilities, loss) for name in self.names}

    def _checked(self, predictions: Any, references: Any) -> tuple[Any, Any]:
        if self.target_type not in _DTYPES:
            if len(predictions) != len(references) or not len(references):
                raise ValueError(f"as many predictions as references, not {len(predictions)} and {len(references)}")
            return predictions, references
        predictions, references = np.asarray(predictions), np.asarray(references)
        dimensions = 2 if self.target_type == "multi_label" else 1
        if predictions.ndim != dimensions or predictions.shape != references.shape or not len(predictions):
            form = "(rows, labels)" if dimensions == 2 else "(rows,)"
            shapes = f"{predictions.shape} and {references.shape}"
            raise ValueError(f"predictions and references must have one equal shape {form}, not {shapes}")
        dtype = _DTYPES[self.target_type]
        return predictions.astype(dtype), references.astype(dtype)

    def _one(
        self, name: str, predictions: Any, references: Any, probabilities: np.ndarray | None, loss: float | None
    ) -> float:
        if name in self._hub:
            return _score_by_hub(name, self._hub[name], predictions, references)
        metric = self._metrics[name]
        if metric.function is None:
            if loss is None:
                raise ValueError(f"{name} needs the loss")
            return math.exp(loss) if loss < 700 else math.inf
        if metric.takes == "probabilities":
            if probabilities is None:
                raise ValueError(f"{name} needs the probabilities of the labels")
            predictions = probabilities
            if self.target_type == "single_label":
                label = self.positive if metric.label is None else self.labels.index(metric.label)
                return float(metric.function(probabilities[:, label], (references == label).astype(np.int64)))
        return float(metric.function(predictions, references, **metric.kwargs, **self._label(metric)))

    def _label(self, metric: Metric) -> dict[str, Any]:
        """The argument that asks for one label: its id, or the type of an entity."""
        if metric.label is None:
            return {}
        return {"label": metric.label if self.target_type == "token_labels" else self.labels.index(metric.label)}


def _load_from_hub(name: str) -> Any:
    import evaluate

    evaluate.utils.disable_progress_bar()
    evaluate.logging.set_verbosity_error()
    # The owner is spelled out: with a bare name `evaluate` would also search other kinds of module.
    address = f"evaluate-metric/{name.removeprefix(catalog.HUB_PREFIX)}"
    if Path(address).exists():
        # `evaluate` would prefer this folder and run it; a recipe must never run code of the working directory.
        raise ConfigurationError(Problem(name, f"the folder {address} here hides the Hub's metric; rename it"))
    try:
        # In memory: nothing that two ranks could write at the same time.
        return evaluate.load(address, module_type="metric", keep_in_memory=True)
    except (FileNotFoundError, ConnectionError) as error:
        message = "not in the cache, and the Hub has no such metric or cannot be reached; try a shipped one: "
        raise NothingReached(Problem(name, message + ", ".join(catalog.shipped()))) from error
    except ImportError as error:
        raise ConfigurationError(Problem(name, f"cannot be loaded: {error}")) from error


def _score_by_hub(name: str, module: Any, predictions: Any, references: Any) -> float:
    try:
        result = module.compute(predictions=predictions, references=references)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(Problem(name, f"this metric cannot score these predictions: {error}")) from error
    numbers = {key: value for key, value in result.items() if isinstance(value, Real)}
    bare = name.removeprefix(catalog.HUB_PREFIX)
    if bare in numbers:
        return float(numbers[bare])
    if len(numbers) != 1:
        gives = ", ".join(result) or "nothing"
        raise ConfigurationError(Problem(name, f"must give one number, or one under its own name; it gives: {gives}"))
    return float(next(iter(numbers.values())))
