"""Which examples each process evaluates, in which order, and how windows of a row become one prediction."""

from __future__ import annotations

import datasets
import numpy as np
import pytest
import torch

from tunebook.data.labels.base import Targets
from tunebook.data.row_key import RowKey
from tunebook.tasks.base import LossSum
from tunebook.training.evaluation_loop import EvalBatches, EvalSplit, Gathered, counted_only


@pytest.mark.parametrize("examples", [1, 4, 10, 12, 17])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_every_example_comes_once_and_in_order_whatever_the_processes(examples, processes):
    ranks = [list(EvalBatches(examples, 4, rank, processes)) for rank in range(processes)]
    assert len({len(batches) for batches in ranks}) == 1
    assert all(len(batches) == len(EvalBatches(examples, 4, 0, processes)) for batches in ranks)
    keys = [key for turn in zip(*ranks, strict=True) for batch in turn for key in batch]
    assert [key.row for key in keys if key.counted] == list(range(examples))


class Task:
    """Merges the parts of a row by joining them."""

    def references(self, rows):
        return rows["text"]

    def merge(self, predictions):
        return "".join(predictions)


class Evaluator:
    def __init__(self):
        self.seen = []

    def update(self, predictions, references):
        self.seen += zip(predictions, references, strict=True)


def split_of(positions):
    rows = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "row": [5, 6, 7]})
    examples = datasets.Dataset.from_dict({"x": list(range(len(positions)))})
    return EvalSplit("test", rows, examples, np.array(positions))


def test_examples_carry_whether_they_count():
    split = split_of([0, 1, 2])
    assert [one["weight"] for one in split.__getitems__([RowKey(1), RowKey(0, counted=False)])] == [1.0, 0.0]


@pytest.mark.parametrize("sizes", [[5], [1, 1, 1, 1, 1], [2, 3], [4, 1]])
def test_windows_of_a_row_are_merged_wherever_the_batches_end(sizes):
    split = split_of([0, 0, 1, 2, 2])
    assert split.windows
    evaluator = Evaluator()
    gathered = Gathered(split, Task(), Targets(), evaluator)
    parts, losses = list("vwxyz"), np.array([1, 3, 5, 2, 4], dtype=np.float32)
    start = 0
    for size in sizes:
        gathered.add([(parts[start : start + size], losses[start : start + size])])
        start += size
    gathered.close()
    assert evaluator.seen == [("vw", "a"), ("x", "b"), ("yz", "c")]
    evaluated = gathered.evaluated()
    assert (list(evaluated.predictions), evaluated.losses.tolist()) == (["vw", "x", "yz"], [2.0, 5.0, 3.0])
    assert evaluated.positions.tolist() == [0, 1, 2]


def test_another_process_keeps_nothing():
    gathered = Gathered(split_of([0, 1, 2]), Task(), Targets(), None)
    gathered.add([(["x"], np.zeros(1, dtype=np.float32))])
    gathered.close()
    assert len(gathered.evaluated().predictions) == 0


def test_the_loss_is_a_sum_over_a_count():
    gathered = Gathered(split_of([0, 1, 2]), Task(), Targets(), Evaluator())
    batch = {"row": torch.tensor([0, 1])}
    each = gathered.add_loss(LossSum(torch.tensor(3.0), torch.tensor(6), torch.tensor([0.25, 0.75])), batch)
    assert (gathered.total, gathered.count, each.tolist()) == (3.0, 6.0, [0.25, 0.75])
    assert np.isnan(gathered.add_loss(LossSum(torch.tensor(1.0), torch.tensor(2)), batch)).all()
    assert (gathered.total, gathered.count) == (4.0, 8.0)


def test_fillers_are_left_out():
    predictions, losses = counted_only(np.ones((1, 2)), np.ones(1), torch.zeros(1))
    assert (len(predictions), len(losses)) == (0, 0)
    assert len(counted_only(["a"], np.ones(1), torch.ones(1))[0]) == 1
