"""What tasks with labels share: the loss as sum and count, the evaluator, thresholds chosen on validation."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from torch.nn import functional

from tunebook.data.labels.base import Targets
from tunebook.tasks._label_outputs import LabelOutputs
from tunebook.tasks._multi_label import MultiLabelOutput
from tunebook.tasks._regression import RegressionOutput
from tunebook.tasks._single_label import SingleLabelOutput

SPLITS = {"train", "validation", "test"}
NAMES = ("ham", "spam")


def task_of(output):
    task = LabelOutputs.__new__(LabelOutputs)
    task.columns = {}
    task.__init__(output)
    return task


def two_classes(seed: int, threshold=None, positive=None):
    """A task, and an evaluator with rows whose best threshold is far from a half."""
    draw = np.random.default_rng(seed)
    labels = (draw.random(300) < 0.2).astype(np.int64)
    odds = torch.tensor(1.5 * labels + draw.normal(0, 1, 300) - 2.5)
    task = task_of(SingleLabelOutput(threshold, positive))
    predictions = task.output.predictions(torch.stack([torch.zeros(300), odds], dim=1)).numpy()
    evaluator = task.evaluator(["f1:spam", "accuracy", "average_precision"], Targets(NAMES))
    for start in range(0, 300, 70):
        evaluator.update(predictions[start : start + 70], labels[start : start + 70])
    return task, evaluator, predictions, labels


def test_the_loss_is_a_weighted_sum_and_counts_rows_without_fillers():
    logits, labels = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 2, 1, 1])
    batch = {"labels": labels, "weight": torch.tensor([1.0, 0.5, 2.0, 0.0]), "row": torch.arange(4)}
    task = task_of(SingleLabelOutput())
    loss = task.loss(
        {"logits": logits}, batch, lambda logits, labels: functional.cross_entropy(logits, labels, reduction="none")
    )
    each = functional.cross_entropy(logits, labels, reduction="none")
    assert torch.allclose(loss.total, each[0] + 0.5 * each[1] + 2 * each[2])
    assert (int(loss.count), int(task.count(batch))) == (3, 3)
    assert torch.equal(loss.each, each)


def test_batches_of_any_size_give_the_figures_of_all_rows():
    task, evaluator, predictions, labels = two_classes(0)
    whole = task.evaluator(["f1:spam", "accuracy", "average_precision"], Targets(NAMES))
    whole.update(predictions, labels)
    assert evaluator.compute() == whole.compute()
    assert evaluator.compute()["f1:spam"] == pytest.approx(f1_score(labels, predictions[:, 0]))
    assert evaluator.row_scores()["accuracy"].mean() == pytest.approx(evaluator.compute()["accuracy"])


def test_a_tuned_threshold_raises_the_f1_of_the_positive_class():
    task, evaluator, predictions, labels = two_classes(0, "tuned")
    chosen = task.choose(evaluator, Targets(NAMES))
    assert list(chosen.values) == [1]
    assert chosen.values[1] < 0.4
    tuned, plain = evaluator.compute(chosen), evaluator.compute()
    predicted = SingleLabelOutput().probabilities(predictions)[:, 1] >= chosen.values[1]
    assert tuned["f1:spam"] == pytest.approx(f1_score(labels, predicted))
    assert tuned["f1:spam"] > plain["f1:spam"] + 0.1
    assert tuned["average_precision"] == plain["average_precision"]


def test_the_positive_class_is_the_one_that_is_tuned():
    task, evaluator, _, _ = two_classes(0, "tuned", "ham")
    assert list(task.choose(evaluator, Targets(NAMES)).values) == [0]


def test_a_stated_threshold_needs_no_rows():
    chosen = two_classes(0, 0.3)[0].choose(None, Targets(NAMES))
    assert (chosen.values, chosen.tuned) == ({1: 0.3}, False)
    assert task_of(MultiLabelOutput(0.4)).choose(None, Targets(("a", "b"))).values == {0: 0.4, 1: 0.4}
    assert task_of(RegressionOutput()).choose(None, Targets()) is None


@pytest.mark.parametrize(
    ("output", "names", "splits", "key", "words"),
    [
        (SingleLabelOutput("tuned"), ["a", "b"], {"train", "test"}, "task.threshold", "validation"),
        (MultiLabelOutput("tuned"), ["a", "b", "c"], {"train"}, "task.threshold", "dataset.split.validation=0.1"),
        (SingleLabelOutput(0.3), ["a", "b", "c"], SPLITS, "task.threshold", "3"),
        (SingleLabelOutput("tuned", "spma"), ["ham", "spam"], SPLITS, "task.positive", "did you mean spam?"),
    ],
)
def test_thresholds_that_do_not_fit_are_refused(output, names, splits, key, words):
    (problem,) = task_of(output).misfits(Targets(tuple(names)), splits)
    assert problem.key == key
    assert words in problem.message


@pytest.mark.parametrize(
    ("output", "label", "expected"),
    [(SingleLabelOutput(), 2, [0.0, 0.0, 1.0]), (MultiLabelOutput(), [1, 0], [1.0, 0.0]), (RegressionOutput(), 3, 3.0)],
)
def test_labels_are_put_into_a_form_in_which_two_can_be_averaged(output, label, expected):
    assert task_of(output).mixed_label(label, Targets(("a", "b", "c"))) == expected


def test_labels_become_the_tensors_that_losses_take():
    rows = [{"labels": 1, "row": 7, "weight": 0.5}, {"labels": 0, "row": 8}]
    batch = task_of(SingleLabelOutput()).collate_targets(rows)
    assert (batch["labels"].dtype, batch["labels"].tolist()) == (torch.long, [1, 0])
    assert (batch["row"].tolist(), batch["weight"].tolist()) == ([7, 8], [0.5, 1.0])
    mixed = task_of(SingleLabelOutput()).collate_targets([{"labels": [0.25, 0.75], "row": 1}])
    assert mixed["labels"].tolist() == [[0.25, 0.75]]


def test_references_are_the_label_column():
    assert task_of(RegressionOutput()).references({"label": [1.0, 2.0], "text": ["a", "b"]}) == [1.0, 2.0]
    assert SimpleNamespace(**{"labels": task_of(RegressionOutput()).labels}).labels.name == "regression"
