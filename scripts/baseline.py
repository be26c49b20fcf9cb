"""TF-IDF with logistic regression on a text recipe's own split, beside the recipe's finished runs:

python scripts/baseline.py +recipe=bert_sentiment
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from tunebook import files
from tunebook.check import check
from tunebook.config import identity, registry
from tunebook.config.command import telling_mistakes
from tunebook.config.compose import compose
from tunebook.config.schema import Config
from tunebook.data.prepare import prepare
from tunebook.errors import ConfigurationError

SPLITS = ("validation", "test")


def baseline(config: Config) -> dict[str, float]:
    """Accuracy per split of TF-IDF (words and pairs of words) with logistic regression.

    The strength of its regularisation is chosen by 5-fold cross-validation on the training rows.

    Raises:
        ConfigurationError: the recipe does not classify texts.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline

    if config.task.name != "text_classification":
        raise ConfigurationError(f"the baseline is for texts; this recipe's task is {config.task.name}")
    splits = prepare(config.dataset, registry.load("task", config.task.name).ROLES).splits
    inputs = {name: _texts(split) for name, split in splits.items()}
    pipeline = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=2000))
    search = GridSearchCV(pipeline, {"logisticregression__C": [0.1, 1, 10, 100]}, cv=5)
    search.fit(inputs["train"], splits["train"]["label"])
    return {name: search.score(inputs[name], splits[name]["label"]) for name in SPLITS if name in splits}


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
    for split, value in baseline(config).items():
        print(f"TF-IDF + logistic regression   {split:<10}  accuracy {value:.4f}")
    runs = finished_runs(config)
    for split in SPLITS:
        values = [run[split]["accuracy"] for run in runs if split in run]
        if values:
            spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
            mean = f"{config.run.recipe:<29}  {split:<10}  accuracy {statistics.mean(values):.4f}{spread}"
            listed = ", ".join(f"{value:.4f}" for value in values)
            print(f"{mean}   ({len(values)} seed{'s' if len(values) > 1 else ''}: {listed})")


if __name__ == "__main__":
    with telling_mistakes():
        main(sys.argv[1:])
