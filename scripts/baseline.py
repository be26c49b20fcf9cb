"""TF-IDF with a linear model on a text recipe's own split, compared with the recipe's finished runs:

python scripts/baseline.py +recipe=bert_sentiment

Logistic regression for classes, one for each label of several, ridge regression for numbers.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tunebook import files
from tunebook.check import check
from tunebook.config import identity, registry
from tunebook.config.command import telling_mistakes
from tunebook.config.compose import compose
from tunebook.config.schema import Config
from tunebook.data.prepare import prepare
from tunebook.errors import ConfigurationError
from tunebook.evaluation import catalog

SPLITS = ("validation", "test")
TASKS = ("text_classification", "text_regression")


def metric(config: Config) -> str:
    """What is compared: the first of task.metrics that scores predictions; the baseline gives no probabilities.

    Raises:
        ConfigurationError: there is none.
    """
    for name in config.task.metrics:
        metric = catalog.find(name)
        if metric is not None and metric.takes == "predictions":
            return name
    raise ConfigurationError(f"none of task.metrics scores the predictions alone: {', '.join(config.task.metrics)}")


def baseline(config: Config) -> dict[str, float]:
    """The figure of `metric` per split, of TF-IDF (words and pairs of words) with a linear model.

    The strength of its regularisation is chosen by 5-fold cross-validation on the training rows. Several labels are
    predicted from a probability of 0.5 on, whatever task.threshold says.

    Raises:
        ConfigurationError: the recipe's task is not about texts, or no metric of it scores answers.
    """
    from tunebook.evaluation.metrics import Metrics

    if config.task.name not in TASKS:
        raise ConfigurationError(f"the baseline is for texts; this recipe's task is {config.task.name}")
    task = registry.load("task", config.task.name).Task(config.task.options)
    data = prepare(config.dataset, task, config.cleaning)
    inputs = {name: _texts(split) for name, split in data.splits.items()}
    labels = {name: np.asarray(split["label"]) for name, split in data.splits.items()}
    search = _linear(task.target_type).fit(inputs["train"], labels["train"])
    metrics = Metrics([metric(config)], task.target_type, data.label_names)
    return {
        name: metrics.compute(np.asarray(search.predict(inputs[name])), labels[name])[metric(config)]
        for name in SPLITS
        if name in inputs
    }


def _linear(target_type: str) -> Any:
    """TF-IDF and the linear model of a kind of label, with a search for its strength."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.model_selection import GridSearchCV
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline

    logistic = LogisticRegression(max_iter=2000)
    model, key, strengths = {
        "single_label": (logistic, "logisticregression__C", [0.1, 1, 10, 100]),
        "multi_label": (OneVsRestClassifier(logistic), "onevsrestclassifier__estimator__C", [1, 10, 100]),
        "regression": (Ridge(), "ridge__alpha", [0.1, 1, 10]),
    }[target_type]
    scoring = "f1_micro" if target_type == "multi_label" else None
    return GridSearchCV(
        make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), model), {key: strengths}, cv=5, scoring=scoring
    )


def _texts(split: Sequence) -> list[str]:
    pair = "text_pair" in split.column_names  # type: ignore[attr-defined]
    return [f"{row['text']} {row['text_pair']}" if pair else row["text"] for row in split]


def finished_runs(config: Config) -> list[dict]:
    """The metrics of every finished run of the same configuration; one of each seed."""
    wanted = _without_seed(identity.content(config))
    by_seed = {}
    for path in sorted((Path(config.run.output_dir) / config.run.recipe).glob("*/run.json")):
        record = files.read_json(path)
        if record["status"] == "finished" and _without_seed(record["configuration"]) == wanted:
            seed = record["configuration"]["hyperparameters"]["seed"]
            by_seed[seed] = files.read_json(path.with_name("metrics.json"))
    return list(by_seed.values())


def _without_seed(plain: dict) -> dict:
    shaping = {group: plain[group] for group in identity.SHAPING}
    hyperparameters = {key: value for key, value in shaping["hyperparameters"].items() if key != "seed"}
    return {**shaping, "hyperparameters": hyperparameters}


def main(overrides: list[str]) -> None:
    """Print both."""
    config = check(compose(overrides))
    name = metric(config)
    for split, value in baseline(config).items():
        print(f"{'TF-IDF + linear model':<29}  {split:<10}  {name} {value:.4f}")
    runs = finished_runs(config)
    for split in SPLITS:
        # Without thresholds, as the baseline has none.
        values = [run.get("without_thresholds", run)[split][name] for run in runs if split in run]
        if values:
            spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
            mean = f"{config.run.recipe:<29}  {split:<10}  {name} {statistics.mean(values):.4f}{spread}"
            listed = ", ".join(f"{value:.4f}" for value in values)
            print(f"{mean}   ({len(values)} seed{'s' if len(values) > 1 else ''}: {listed})")


if __name__ == "__main__":
    with telling_mistakes():
        main(sys.argv[1:])
