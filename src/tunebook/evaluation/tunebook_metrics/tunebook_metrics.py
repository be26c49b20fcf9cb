"""The table of metrics as one `evaluate` module: `evaluate.load(FOLDER, "f1_macro")`; imports nothing of Tunebook."""

from __future__ import annotations

from typing import Any

import datasets
import evaluate

from .table import METRICS

DESCRIPTION = "Every metric of Tunebook; the configuration names the one that is computed."
INPUTS = """
Args:
    predictions: class ids, 0 or 1 of each label, numbers, a list of tags a row, or texts; for metrics of probabilities
        one a row, or one of each label.
    references: in the same form; ids, 0 and 1 for metrics of probabilities.
    label (optional): the id of one class, or the type of an entity, that is to be scored alone.

Returns:
    The value under the metric's name.
"""
CITATION = "scikit-learn, SciPy, seqeval, rouge-score, sacrebleu"


class TunebookMetrics(evaluate.Metric):
    """One metric of the table."""

    def _info(self) -> evaluate.MetricInfo:
        if self.config_name not in METRICS or METRICS[self.config_name].function is None:
            names = ", ".join(name for name, metric in METRICS.items() if metric.function is not None)
            raise ValueError(f"no metric {self.config_name!r} that is computed from predictions; there are {names}")
        metric = METRICS[self.config_name]
        text, number, integer = (datasets.Value(kind) for kind in ("string", "float64", "int64"))
        score = number if metric.takes == "probabilities" else integer
        forms: dict[str, tuple[Any, Any]] = {
            "multi_label": (datasets.Sequence(score), datasets.Sequence(integer)),
            "single_label": (score, integer),
            "regression": (number, number),
            "token_labels": (datasets.Sequence(text), datasets.Sequence(text)),
            "text": (text, text),
        }
        features = [
            datasets.Features({"predictions": predictions, "references": references})
            for target, (predictions, references) in forms.items()
            if target in metric.targets
        ]
        return evaluate.MetricInfo(
            description=DESCRIPTION, citation=CITATION, inputs_description=INPUTS, features=features
        )

    def _compute(self, predictions: list[Any], references: list[Any], **kwargs: Any) -> dict[str, float]:
        metric = METRICS[self.config_name]
        assert metric.function is not None  # noqa: S101  _info has refused it
        return {metric.name: metric.function(predictions, references, **metric.kwargs, **kwargs)}
