import numpy as np
import pytest
import torch

from tunebook.data.labels.single_label import SingleLabel
from tunebook.data.sampling import none
from tunebook.data.sampling.base import TrainTargets
from tunebook.errors import ConfigurationError
from tunebook.training.batches import BatchLayout, EffectiveBatches, batch_layout, epoch_order


@pytest.mark.parametrize(
    ("effective", "per_device", "processes", "expected"),
    [
        (32, 32, 1, (32, 1)),
        (32, 8, 1, (8, 4)),
        (32, 32, 2, (16, 1)),
        (32, 5, 2, (4, 4)),
        (12, 5, 1, (4, 3)),
        (7, 4, 1, (1, 7)),
        (None, 8, 3, (8, 1)),
    ],
)
def test_the_effective_batch_is_shared_out(effective, per_device, processes, expected):
    layout = batch_layout(effective, per_device, processes)
    assert (layout.per_device, layout.accumulation) == expected
    assert layout.per_device <= per_device
    assert layout.effective == (effective or per_device * processes)


def test_the_sum_is_spelled_out():
    text = "effective batch 32 = 4 per device × 2 processes × 4 accumulation steps"
    assert str(batch_layout(32, 4, 2)) == text


def test_an_uneven_share_is_refused_with_the_nearest_sizes():
    with pytest.raises(ConfigurationError, match="10 cannot be divided evenly among 4 processes; use 8 or 12"):
        batch_layout(10, 8, 4)


@pytest.mark.parametrize("strategy", ["random", "group_by_length", "sequential"])
@pytest.mark.parametrize("rows", [1, 7, 64, 133])
@pytest.mark.parametrize(("per_device", "processes", "accumulation"), [(8, 1, 1), (2, 1, 4), (4, 2, 1), (2, 2, 2)])
def test_every_layout_trains_on_the_same_rows_in_every_step(strategy, rows, per_device, processes, accumulation):
    lengths = [(row * 7) % 40 for row in range(rows)]
    layout = BatchLayout(per_device, processes, accumulation)
    sampling = none.Sampling(none.Options(), TrainTargets(SingleLabel(), ("a", "b"), np.zeros(rows)))
    ranks = [EffectiveBatches(sampling, layout, rank, strategy, 3, lengths) for rank in range(processes)]
    for epoch in (0, 1):
        whole = epoch_order(rows, 8, strategy, 3, epoch, lengths)
        seen = []
        for batches in ranks:
            batches.set_epoch(epoch)
            seen.append(list(batches))
            assert len(seen[-1]) == len(batches) == len(seen[0])
        # Micro-batches of one optimizer step over all ranks, in step order.
        for number, start in enumerate(range(0, rows, 8)):
            turns = [rank[number * accumulation : (number + 1) * accumulation] for rank in seen]
            keys = [key for rank in turns for micro in rank for key in micro]
            assert sorted(key.row for key in keys if key.counted) == sorted(whole[start : start + 8])
        counted = [key for rank in seen for micro in rank for key in micro if key.counted]
        assert sorted(counted) == [(row, epoch, 0, True) for row in range(rows)]


class Twice:
    """A sampling that holds row 3 three times and leaves row 0 out."""

    rows = 5

    def draw(self, seed, epoch):
        return np.array([3, 1, 3, 2, 3])


def test_copies_of_a_row_are_told_apart_and_all_come():
    batches = EffectiveBatches(Twice(), BatchLayout(2, 1, 1), 0, "random", 0, lengths=[1, 2, 3, 4])
    keys = [key for batch in batches for key in batch]
    assert sorted(keys) == [(1, 0, 0, True), (2, 0, 0, True), (3, 0, 0, True), (3, 0, 1, True), (3, 0, 2, True)]


def test_epochs_differ_and_repeat_by_seed():
    assert epoch_order(50, 8, "random", 1, 0) != epoch_order(50, 8, "random", 1, 1)
    assert epoch_order(50, 8, "random", 1, 1) == epoch_order(50, 8, "random", 1, 1)
    assert epoch_order(50, 8, "random", 2, 1) != epoch_order(50, 8, "random", 1, 1)
    assert epoch_order(5, 2, "sequential", 1, 1) == [0, 1, 2, 3, 4]


def test_length_grouping_saves_padding_and_keeps_lengths_from_drifting():
    draw = torch.Generator().manual_seed(0)
    lengths = torch.randint(3, 120, (2000,), generator=draw).tolist()

    def padding(order):
        steps = [order[at : at + 16] for at in range(0, len(order), 16)]
        return sum(len(step) * max(lengths[row] for row in step) for step in steps) - sum(lengths)

    grouped = epoch_order(2000, 16, "group_by_length", 0, 0, lengths)
    assert padding(grouped) < 0.1 * padding(epoch_order(2000, 16, "random", 0, 0))
    firsts = [epoch_order(2000, 16, "group_by_length", 0, epoch, lengths)[:1000] for epoch in range(30)]
    mean = sum(lengths[row] for first in firsts for row in first) / (30 * 1000)
    assert mean == pytest.approx(sum(lengths) / 2000, rel=0.05)
