import datasets
import numpy as np
import torch

from tunebook.data.augmentation.base import Mix
from tunebook.data.labels.base import Targets
from tunebook.data.row_key import RowKey
from tunebook.tasks._multi_label import MultiLabelOutput
from tunebook.tasks._regression import RegressionOutput
from tunebook.tasks._single_label import SingleLabelOutput
from tunebook.training.rows import TrainExamples, Varied

ENCODED = datasets.Dataset.from_dict({"input_ids": [[1, 2], [3]], "labels": [1, 0], "row": [0, 1]})


def test_a_filler_has_no_weight():
    rows = TrainExamples(ENCODED)
    assert rows.__getitems__([RowKey(1), RowKey(0, counted=False)]) == [
        {"input_ids": [3], "labels": 0, "row": 1, "weight": 1.0},
        {"input_ids": [1, 2], "labels": 1, "row": 0, "weight": 0.0},
    ]
    assert len(rows) == 2
    assert rows[RowKey(0)]["labels"] == 1


def test_rows_carry_their_own_weights():
    rows = TrainExamples(ENCODED, np.array([0.5, 1.5]))
    assert [row["weight"] for row in rows.__getitems__([RowKey(1, 3, 1), RowKey(0), RowKey(1, counted=False)])] == [
        1.5,
        0.5,
        0.0,
    ]


class Task:
    """Encodes a number as one pixel."""

    def __init__(self, output):
        self.output = output

    def encode(self, rows, processor, config, targets):
        values = [torch.full((1, 1, 1), value) for value in rows["image"]]
        kept = {"labels": rows["label"], "row": rows["row"], "position": rows["position"]}
        return {"pixel_values": values, **kept}

    def mixed_label(self, label, targets):
        return self.output.mixed_label(label, targets.names)


class Plus:
    """Adds ten times the epoch, and mixes row r with row r + 1, a quarter of it; the last row with none."""

    active, mixes = True, None

    def __init__(self, mixes=None):
        self.mixes = mixes

    def apply(self, rows, keys):
        return {**rows, "image": [v + 10 * key.epoch for v, key in zip(rows["image"], keys, strict=True)]}

    def mix(self, keys, rows):
        return [Mix(key.row + 1, 0.75) if key.row + 1 < rows else None for key in keys]


def split(labels, feature):
    columns = {"image": [1.0, 2.0, 4.0], "label": labels, "row": [7, 8, 9]}
    return datasets.Dataset.from_dict(columns).cast_column("label", feature)


CLASSES = split([0, 2, 1], datasets.ClassLabel(names=["a", "b", "c"]))


def varied(rows=CLASSES, mixes=None, output=None):
    task = Task(output or SingleLabelOutput())
    return TrainExamples(rows, None, Varied(rows, Plus(mixes), task, None, None, Targets(("a", "b", "c"))))


def test_rows_are_varied_by_their_keys_and_labels_stay():
    rows = varied().__getitems__([RowKey(2, 1), RowKey(0)])
    assert [float(row["pixel_values"]) for row in rows] == [14.0, 1.0]
    assert [(row["labels"], row["row"], row["weight"]) for row in rows] == [(1, 9, 1.0), (0, 7, 1.0)]


def test_pixels_and_labels_are_mixed_with_the_partner_of_the_same_epoch():
    first, last = varied(mixes="pixels").__getitems__([RowKey(0, 1), RowKey(2, 1, counted=False)])
    assert float(first["pixel_values"]) == 0.75 * 11 + 0.25 * 12
    assert first["labels"] == [0.75, 0.0, 0.25]
    assert (first["row"], first["weight"]) == (7, 1.0)
    assert float(last["pixel_values"]) == 14.0
    assert last["labels"] == [0.0, 1.0, 0.0]
    assert last["weight"] == 0.0


def test_a_row_is_mixed_alike_in_every_batch():
    rows = varied(mixes="pixels")
    keys = [RowKey(1, 2), RowKey(0, 2), RowKey(2, 2)]
    together = rows.__getitems__(keys)
    alone = [rows[key] for key in keys]
    assert [row["labels"] for row in together] == [row["labels"] for row in alone]
    assert [float(row["pixel_values"]) for row in together] == [float(row["pixel_values"]) for row in alone]


def test_several_labels_and_numbers_are_mixed_as_they_are():
    many = split([[1, 0], [1, 1], [0, 0]], datasets.List(datasets.Value("int8")))
    assert varied(many, "pixels", MultiLabelOutput())[RowKey(0)]["labels"] == [1.0, 0.25]
    numbers = split([1.0, 3.0, -1.0], datasets.Value("float64"))
    assert varied(numbers, "pixels", RegressionOutput())[RowKey(0)]["labels"] == 1.5
