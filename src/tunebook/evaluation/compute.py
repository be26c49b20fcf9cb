"""Computes the metrics that a recipe names, through `evaluate`; knows nothing of models or of the Trainer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import evaluate
import numpy as np

from tunebook.errors import ConfigurationError, NothingReached, Problem
from tunebook.evaluation import catalog


class Metrics:
    """The metrics of one run, each module loaded once.

    Args:
        names: metrics as recipes write them: shipped (`f1_macro`, `f1:spam`) or of the Hub (`hub:bleu`).
        kind: of label: `class`, `classes` or `number`.
        labels: names of the labels, in the order of their ids; empty for numbers.
        positive: of two classes, the id of the one whose probability metrics of scores take.

    Raises:
        ConfigurationError: a name is not allowed or scores another kind of label, a label is not there, or a Hub
            metric needs a package that is not installed.
        NothingReached: a Hub metric is neither reachable nor cached.
    """

    def __init__(self, names: Iterable[str], kind: str = "class", labels: Sequence[str] = (), positive: int = 1):
        self.names, self.kind, self.labels, self.positive = list(names), kind, list(labels), positive
        key = "task.metrics"
        if found := catalog.problems(self.names, key, kind) or catalog.unknown_labels(self.names, self.labels, key):
            raise ConfigurationError(found)
        self._cards = {name: card for name in self.names if (card := catalog.find(name)) is not None}
        ranking = [name for name, card in self._cards.items() if card.takes == "scores"]
        if kind == "class" and len(self.labels) > 2 and ranking:
            message = f"needs each class's probability, which is kept for two classes only; here are {len(labels)}"
            raise ConfigurationError([Problem(f"{key}={name!r}", message) for name in ranking])
        evaluate.utils.disable_progress_bar()
        evaluate.logging.set_verbosity_error()
        self._modules: dict[Path, evaluate.EvaluationModule] = {}
        form = "multilabel" if kind == "classes" else "default"
        for folder in {card.module_dir: None for card in self._cards.values()}:
            # In memory: nothing that two ranks could write at the same time.
            self._modules[folder] = evaluate.load(str(folder), config_name=form, keep_in_memory=True)
        self._hub = {name: _load_from_hub(name) for name in self.names if catalog.is_hub(name)}

    def compute(
        self, predictions: np.ndarray, references: np.ndarray, probabilities: np.ndarray | None = None
    ) -> dict[str, float]:
        """Scores answers.

        Args:
            predictions: class numbers (rows,), 0 or 1 of each label (rows, labels), or numbers (rows,).
            references: the labelled ones, in the same form.
            probabilities: of each label, (rows, labels), for metrics that take them.

        Returns:
            Exactly the requested names, in the order of the request.

        Raises:
            ValueError: no rows, the two differ in shape, or probabilities are needed and not given.
            ConfigurationError: a Hub metric cannot score these answers, or gives no single number.
        """
        dimensions = 2 if self.kind == "classes" else 1
        if predictions.ndim != dimensions or predictions.shape != references.shape or not len(predictions):
            form = "(rows, labels)" if self.kind == "classes" else "(rows,)"
            shapes = f"{predictions.shape} and {references.shape}"
            raise ValueError(f"predictions and references must have one equal shape {form}, not {shapes}")
        return {name: self._one(name, predictions, references, probabilities) for name in self.names}

    def _one(self, name: str, predictions: np.ndarray, references: np.ndarray, chances: np.ndarray | None) -> float:
        if name in self._hub:
            return _score_by_hub(name, self._hub[name], predictions, references)
        card = self._cards[name]
        module = self._modules[card.module_dir]
        if card.takes == "scores":
            if chances is None:
                raise ValueError(f"{name} needs the probabilities of the labels")
            scores, labelled = self._ranked(card, chances, references)
            result = module.compute(prediction_scores=scores, references=labelled, **card.kwargs)
        else:
            only = {} if card.label is None else {"labels": [self.labels.index(card.label)]}
            dtype = np.float64 if self.kind == "number" else np.int64
            result = module.compute(
                predictions=predictions.astype(dtype), references=references.astype(dtype), **card.kwargs, **only
            )
        return float(result[card.module_dir.name])

    def _ranked(
        self, card: catalog.MetricCard, chances: np.ndarray, references: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores and 0/1 labels of the label that is meant, or of all."""
        if self.kind == "class":
            label = self.positive if card.label is None else self.labels.index(card.label)
            return chances[:, label], (references == label).astype(np.int64)
        if card.label is None:
            return chances, references.astype(np.int64)
        at = [self.labels.index(card.label)]
        return chances[:, at], references[:, at].astype(np.int64)


def _load_from_hub(name: str) -> evaluate.EvaluationModule:
    bare = name.removeprefix(catalog.HUB_PREFIX)
    # The owner is spelled out: with a bare name `evaluate` would also search other kinds of module.
    address = f"evaluate-metric/{bare}"
    if Path(address).exists():
        # `evaluate` would prefer this folder and run it; a recipe must never run what lies beside it.
        problem = Problem(name, f"the folder {address} here hides the Hub's metric; rename it")
        raise ConfigurationError(problem)
    try:
        return evaluate.load(address, module_type="metric", keep_in_memory=True)
    except (FileNotFoundError, ConnectionError) as error:
        message = "not in the cache, and the Hub has no such metric or cannot be reached; try a shipped one: "
        raise NothingReached(Problem(name, message + ", ".join(catalog.shipped()))) from error
    except ImportError as error:
        raise ConfigurationError(Problem(name, f"cannot be loaded: {error}")) from error


def _score_by_hub(name: str, module: Any, predictions: np.ndarray, references: np.ndarray) -> float:
    try:
        result = module.compute(predictions=predictions, references=references)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(Problem(name, f"this metric cannot score these answers: {error}")) from error
    numbers = {key: value for key, value in result.items() if isinstance(value, Real)}
    bare = name.removeprefix(catalog.HUB_PREFIX)
    if bare in numbers:
        return float(numbers[bare])
    if len(numbers) != 1:
        gives = ", ".join(result) or "nothing"
        raise ConfigurationError(Problem(name, f"gives no single number that could stand for it, but: {gives}"))
    return float(next(iter(numbers.values())))
