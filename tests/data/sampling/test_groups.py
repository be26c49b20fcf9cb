import numpy as np

from tunebook.data.labels.multi_label import MultiLabel
from tunebook.data.labels.single_label import SingleLabel
from tunebook.data.sampling.base import UNLABELLED, TrainTargets, by_turns, groups


def test_one_label_a_row_makes_one_group_a_class_with_rows():
    found = groups(TrainTargets(SingleLabel(), ("a", "b", "c"), np.array([2, 0, 2, 2])))
    assert {group: rows.tolist() for group, rows in found.items()} == {0: [1], 2: [0, 2, 3]}


def test_a_row_of_several_labels_belongs_to_its_rarest_one():
    # Label 0 stands in 4 rows, label 1 in 2, label 2 in 2: of two labels alike, the first one.
    values = [[1, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1], [0, 0, 0]]
    found = groups(TrainTargets(MultiLabel(), ("a", "b", "c"), np.array(values, dtype=np.int8)))
    assert {group: rows.tolist() for group, rows in found.items()} == {UNLABELLED: [4], 0: [0], 1: [1, 3], 2: [2]}


def test_every_row_comes_before_any_comes_again():
    rows = np.arange(100, 110)
    seen = [row for epoch in range(10) for row in by_turns(rows, 3, 7, epoch, 0).tolist()]
    assert sorted(seen[:9]) == sorted(set(seen[:9])), "9 rows in 3 epochs, none twice"
    counts = np.bincount(np.array(seen) - 100, minlength=10)
    assert counts.tolist() == [3] * 10
    for epoch in range(10):
        assert len(set(by_turns(rows, 10, 7, epoch, 0).tolist())) == 10
    assert by_turns(rows, 0, 7, 3, 0).tolist() == []
