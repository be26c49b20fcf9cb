"""What tasks share whose model gives one vector of logits a row: loss, predictions, evaluator, records, panels.

Knows the three kinds of label by `SingleLabelOutput`, `MultiLabelOutput` and `RegressionOutput`; no inputs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tunebook.data.columns import Column
from tunebook.tasks._multi_label import MultiLabelOutput
from tunebook.tasks._regression import RegressionOutput
from tunebook.tasks._single_label import SingleLabelOutput
from tunebook.tasks._thresholds import LabelOptions, positive_id, threshold_problems
from tunebook.tasks.base import ALWAYS, Batch, Evaluated, LossSum, base_batch, model_inputs

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import nn

    from tunebook.data.labels.base import Targets
    from tunebook.errors import Problem
    from tunebook.evaluation.thresholds import Thresholds
    from tunebook.panels import Panel
    from tunebook.training.losses.base import Loss

Output = SingleLabelOutput | MultiLabelOutput | RegressionOutput


def output_of(options: LabelOptions) -> Output:
    """The kind of label that the options say."""
    if options.multi_label:
        return MultiLabelOutput(options.threshold)
    return SingleLabelOutput(options.threshold, options.positive)


class LabelOutputs:
    """The half of a task (`tunebook.tasks.base.Task`) behind the model.

    Args:
        output: the kind of label.
    """

    columns: Mapping[str, Column]

    def __init__(self, output: Output) -> None:
        self.output = output
        self.labels = output.labels
        self.target_type = output.labels.name
        self.default_loss = output.default_loss
        self.problem_type = output.problem_type
        self.capabilities = ALWAYS | output.capabilities
        if output.labels.name == "multi_label":
            self.columns = {**self.columns, "label": Column("labels", target=True)}

    def collate_targets(self, examples: list[dict[str, Any]]) -> Batch:
        """`labels`, `row` and `weight`; labels may be shares of classes, where rows are mixed."""
        labels = [example["labels"] for example in examples]
        return {"labels": self.output.label_tensor(labels), **base_batch(examples)}

    def count(self, batch: Batch) -> torch.Tensor:
        """Rows."""
        return batch["weight"].gt(0).sum()

    def forward(self, model: nn.Module, batch: Batch) -> Any:
        """The model on its inputs; it sees no labels."""
        return model(**model_inputs(batch))

    def loss(self, outputs: Any, batch: Batch, loss: Loss | None) -> LossSum:
        """The registered loss of each row, weighted."""
        if loss is None:
            raise ValueError("a task with labels needs a registered loss")
        each = loss(outputs["logits"], batch["labels"])
        return LossSum((each * batch["weight"]).sum(), self.count(batch), each)

    def predict(self, model: nn.Module, outputs: Any, batch: Batch, processor: Any) -> np.ndarray:
        """Predictions of the kind of label, (rows, k), float32."""
        return self.output.predictions(outputs["logits"]).cpu().numpy()

    def references(self, rows: dict[str, list[Any]]) -> list[Any]:
        """The encoded labels."""
        return rows["label"]

    def misfits(self, targets: Targets, splits: Collection[str]) -> list[Problem]:
        """Thresholds that these labels cannot have."""
        return threshold_problems(self.output, targets.names, splits)

    def evaluator(self, metrics: Sequence[str], targets: Targets) -> LabelEvaluator:
        """Of one split."""
        return LabelEvaluator(self.output, metrics, targets)

    def choose(self, evaluator: LabelEvaluator | None, targets: Targets) -> Thresholds | None:
        """The thresholds that the recipe asks for; `tuned` ones are chosen on the rows of an evaluator.

        Args:
            evaluator: of validation, with every row; None: there is no validation split.
            targets: what there is to predict.
        """
        import numpy as np

        from tunebook.evaluation.thresholds import Thresholds, tune

        stated, names = self.output.threshold, targets.names
        if stated is None:
            return None
        one = self.target_type == "single_label"
        ids = [positive_id(self.output, names)] if one else list(range(len(names)))
        if stated != "tuned":
            return Thresholds(dict.fromkeys(ids, stated), tuned=False)
        if evaluator is None:
            raise ValueError("thresholds are tuned on validation rows")
        predictions, labels = evaluator.joined()
        probabilities = self.output.probabilities(predictions)
        if probabilities is None:
            raise ValueError("thresholds are tuned on the probabilities of every label")
        return tune(probabilities, labels[:, None] == np.arange(len(names)) if one else labels, ids)

    def record(self, prediction: Any, reference: Any, targets: Targets, decision: Any = None) -> dict[str, Any]:
        """Label and prediction by name, and how sure."""
        return self.output.record(prediction, reference, targets.names, decision.values if decision else None)

    def divergence(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """How far the logits of two passes are apart, the same both ways; (rows,)."""
        return self.output.divergence(first, second)

    def mixed_label(self, label: Any, targets: Targets) -> Any:
        """A label in the form in which two can be averaged."""
        return self.output.mixed_label(label, targets.names)

    def panels(self, evaluated: Evaluated) -> list[Panel]:
        """Of the kind of label."""
        import numpy as np

        from tunebook.reporting.label_panels import Compared

        compared = Compared(
            split=evaluated.split,
            rows=evaluated.rows,
            references=np.asarray(evaluated.references),
            predictions=self.output.decide(
                np.asarray(evaluated.predictions), evaluated.decision.values if evaluated.decision else None
            ),
            names=evaluated.targets.names,
            thresholds=evaluated.decision,
        )
        return self.output.panels(evaluated, compared)


class LabelEvaluator:
    """Gathers predictions and labels, and computes the metrics of a recipe; see `tunebook.tasks.base.Evaluator`.

    Args:
        output: the kind of label.
        metrics: names, as the recipe has them.
        targets: what there is to predict.

    Raises:
        ConfigurationError: a metric does not fit these labels.
    """

    def __init__(self, output: Output, metrics: Sequence[str], targets: Targets) -> None:
        from tunebook.evaluation.growing_array import GrowingArray
        from tunebook.evaluation.metrics import Metrics

        positive = positive_id(output, targets.names) if targets.names else 0
        self.output = output
        self.metrics = Metrics(list(metrics), output.labels.name, list(targets.names), positive)
        self.predictions, self.labels = GrowingArray(), GrowingArray()

    def update(self, predictions: Any, references: Sequence[Any]) -> None:
        """Add a batch of (rows, k) and its labels."""
        import numpy as np

        self.predictions.add(np.asarray(predictions))
        self.labels.add(np.asarray(references))

    def compute(self, decision: Thresholds | None = None) -> dict[str, float]:
        """Every metric; with `decision` by its thresholds."""
        predictions, labels = self.joined()
        decided = self.output.decide(predictions, decision.values if decision else None)
        return self.metrics.compute(decided, labels, self.output.probabilities(predictions))

    def row_scores(self, decision: Thresholds | None = None) -> dict[str, np.ndarray]:
        """1 or 0 for accuracy and exact match, the error's size or square for mae and mse; (rows,), float64."""
        import numpy as np

        predictions, labels = self.joined()
        decided = self.output.decide(predictions, decision.values if decision else None)
        equal = (decided == labels).reshape(len(labels), -1).all(axis=1)
        error = np.abs(decided - labels).reshape(len(labels), -1).mean(axis=1)
        known = {"accuracy": equal, "exact_match": equal, "mae": error, "mse": error**2}
        return {name: known[name].astype(np.float64) for name in self.metrics.names if name in known}

    def joined(self) -> tuple[np.ndarray, np.ndarray]:
        """Predictions and labels of all batches."""
        return self.predictions.array(), self.labels.array()
