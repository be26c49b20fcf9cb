"""A finished run, made up, for the reporting tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tunebook.reporting import label_panels
from tunebook.reporting.summary import RunSummary

HOSTILE = "<script>alert('x')</script> & $x_1$"

# 15 mistakes, each surer than the one before it, and two rows that are right.
ROWS = [{"row": at, "text": f"{HOSTILE} n{at}", "label": 0} for at in range(17)]
COMPARED = label_panels.Compared(
    "test", ROWS, np.array([0] * 16 + [1]), np.array([1] * 15 + [0, 1]), ["negative", HOSTILE]
)
PROBABILITIES = np.array([at / 20 for at in range(15)] + [0.9, 0.95])


@pytest.fixture
def make_summary() -> Callable[..., RunSummary]:
    def make(**changes: Any) -> RunSummary:
        values: dict[str, Any] = {
            "recipe_name": "bert_sentiment",
            "run_name": "seed7-3fa2c1",
            "run_dir": "outputs/bert_sentiment/seed7-3fa2c1",
            "command": "python run.py +recipe=bert_sentiment",
            "recipe_text": "# @package _global_\nhyperparameters:\n  seed: 7\n",
            "task": "text_classification",
            "pipeline": "text-classification",
            "auto_class": "AutoModelForSequenceClassification",
            "target_type": "single_label",
            "model_name": "owner/tiny-bert",
            "dataset_description": "Film reviews",
            "licence": "CC0",
            "label_names": ["negative", HOSTILE],
            "rows": {"train": 6920, "validation": 872, "test": 1821},
            "overlaps": {"train and test": 3},
            "freezing_lines": ["rule        count", "embeddings  1,000"],
            "parameters": 4000,
            "trainable": 3000,
            "metrics": {
                "validation": {"loss": 0.5, "accuracy": 0.8125, "f1_macro": 0.75},
                "test": {"loss": 0.6, "accuracy": 0.7, "f1_macro": 0.625},
            },
            "monitor": "accuracy",
            "history": [
                {"loss": 0.9, "step": 10, "epoch": 0.5, "learning_rate": 1e-4},
                {"eval_loss": 0.8, "eval_accuracy": 0.6, "step": 20, "epoch": 1.0},
                {"loss": 0.5, "step": 20, "epoch": 1.0, "learning_rate": 5e-5},
                {"train_runtime": 2.0, "train_loss": 0.7, "step": 20, "epoch": 1.0},
            ],
            "panels": label_panels.single_label(COMPARED, PROBABILITIES),
            "seconds": 323.2,
            "peak_memory_mb": {"process": 1234.5},
            "hardware": {"platform": "Linux", "cpu": "Some CPU", "cores": 2, "memory_gb": 8.0, "gpus": []},
            "versions": {"python": "3.11.7", "torch": "2.13.0"},
            "seed": 7,
            "warnings": [f"3 rows stand in two splits {HOSTILE}"],
        }
        return RunSummary(**values | changes)

    return make
