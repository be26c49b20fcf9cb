import datasets
import numpy as np

from tunebook.data.row_key import RowKey
from tunebook.training.rows import TrainRows

ENCODED = datasets.Dataset.from_dict({"input_ids": [[1, 2], [3]], "labels": [1, 0], "row": [0, 1]})


def test_a_filler_has_no_weight():
    rows = TrainRows(ENCODED)
    assert rows.__getitems__([RowKey(1), RowKey(0, counted=False)]) == [
        {"input_ids": [3], "labels": 0, "row": 1, "weight": 1.0},
        {"input_ids": [1, 2], "labels": 1, "row": 0, "weight": 0.0},
    ]
    assert len(rows) == 2
    assert rows[RowKey(0)]["labels"] == 1


def test_rows_carry_their_own_weights():
    rows = TrainRows(ENCODED, np.array([0.5, 1.5]))
    assert [row["weight"] for row in rows.__getitems__([RowKey(1, 3, 1), RowKey(0), RowKey(1, counted=False)])] == [
        1.5,
        0.5,
        0.0,
    ]
