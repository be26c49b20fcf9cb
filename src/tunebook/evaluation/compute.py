"""Computes the metrics that a recipe names, through `evaluate`; knows nothing of models or of the Trainer."""

from __future__ import annotations

from collections.abc import Iterable
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
        names: metrics as recipes write them: shipped (`f1_macro`) or of the Hub (`hub:bleu`).

    Raises:
        ConfigurationError: a name is not allowed, or a Hub metric needs a package that is not installed.
        NothingReached: a Hub metric is neither reachable nor cached.
    """

    def __init__(self, names: Iterable[str]):
        self.names = list(names)
        if found := catalog.problems(self.names, "metrics"):
            raise ConfigurationError(found)
        evaluate.utils.disable_progress_bar()
        evaluate.logging.set_verbosity_error()
        cards = catalog.shipped()
        modules: dict[Path, evaluate.EvaluationModule] = {}
        for name in self.names:
            if not catalog.is_hub(name) and (folder := cards[name].module_dir) not in modules:
                # In memory: nothing that two ranks could write at the same time.
                modules[folder] = evaluate.load(str(folder), keep_in_memory=True)
        self._shipped = {n: (modules[cards[n].module_dir], cards[n]) for n in self.names if n in cards}
        self._hub = {name: _load_from_hub(name) for name in self.names if catalog.is_hub(name)}

    def compute(self, predictions: np.ndarray, references: np.ndarray) -> dict[str, float]:
        """Scores class predictions.

        Args:
            predictions: predicted class numbers, integers, shape (rows,).
            references: labelled class numbers, integers, shape (rows,).

        Returns:
            Exactly the requested names, in the order of the request.

        Raises:
            ValueError: no rows, or the two differ in shape.
            ConfigurationError: a Hub metric cannot score class numbers, or gives no single number.
        """
        if predictions.ndim != 1 or predictions.shape != references.shape or not len(predictions):
            shapes = f"{predictions.shape} and {references.shape}"
            raise ValueError(f"predictions and references must have one equal shape (rows,), not {shapes}")
        return {name: self._one(name, predictions, references) for name in self.names}

    def _one(self, name: str, predictions: np.ndarray, references: np.ndarray) -> float:
        if name in self._hub:
            return _score_by_hub(name, self._hub[name], predictions, references)
        module, card = self._shipped[name]
        result = module.compute(predictions=predictions, references=references, **card.kwargs)
        return float(result[card.module_dir.name])


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
        raise ConfigurationError(Problem(name, f"this metric cannot score class numbers: {error}")) from error
    numbers = {key: value for key, value in result.items() if isinstance(value, Real)}
    bare = name.removeprefix(catalog.HUB_PREFIX)
    if bare in numbers:
        return float(numbers[bare])
    if len(numbers) != 1:
        gives = ", ".join(result) or "nothing"
        raise ConfigurationError(Problem(name, f"gives no single number that could stand for it, but: {gives}"))
    return float(next(iter(numbers.values())))
