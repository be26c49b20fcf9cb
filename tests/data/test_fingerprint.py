"""Digests of rows tell any two inputs apart, of every kind of column, and say which rows are equal."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from datasets import Dataset, Features, Image, List, Value

from tunebook.data import fingerprint, sorting


def digests(values, **others):
    rows = Dataset.from_dict({"text": values, "label": [0] * len(values), "row": list(range(len(values))), **others})
    return fingerprint.inputs(rows, {"label"})


@pytest.mark.parametrize(
    "values",
    [
        [["a b"], ["a", "b"], ["ab"], [], ["a", ""], ["", "a"], None],
        [[{"role": "user", "content": "a"}], [{"role": "a", "content": "user"}], [{"role": "user", "content": None}]],
        [1.0, 2.0, None],
        [True, False],
        [[1, 23], [12, 3], [[1][0], 2, 3]],
    ],
)
def test_different_values_differ_and_equal_ones_agree(values):
    found = digests([*values, *values])
    assert len({row.tobytes() for row in found}) == len(values)
    np.testing.assert_array_equal(found[: len(values)], found[len(values) :])


def test_a_text_counts_as_it_always_has():
    framed = [len(part).to_bytes(8, "big") + part for part in (b"text", b"fine")]
    assert digests(["fine"])[0].tobytes() == hashlib.sha256(b"".join(framed)).digest()


def test_targets_and_auxiliary_columns_are_no_input():
    assert (digests(["a"]) == digests(["a"], weight=[2.0], group=["x"])).all()
    assert (digests(["a"]) != digests(["a"], text_pair=["b"])).any()


def test_a_field_that_is_missing_counts_as_none():
    short = Dataset.from_list([{"text": [{"role": "user", "content": "a"}], "row": 0}])
    inner = {"role": Value("string"), "content": Value("string"), "name": Value("string")}
    features = Features({"text": List(inner), "row": Value("int64")})
    long = Dataset.from_list([{"text": [{"role": "user", "content": "a", "name": None}], "row": 0}], features=features)
    assert (fingerprint.inputs(short, ()) == fingerprint.inputs(long, ())).all()


def test_an_image_counts_by_its_bytes(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 1 1 255\n0")
    features = Features({"image": Image(), "row": Value("int64")})
    held = {"image": [{"bytes": b"P5 1 1 255\n0", "path": None}], "row": [0]}
    named = {"image": [{"bytes": None, "path": str(tmp_path / "a.pgm")}], "row": [0]}
    one, other = (fingerprint.inputs(Dataset.from_dict(each, features=features), ()) for each in (held, named))
    assert (one == other).all()


def test_selections_are_read_as_they_are():
    rows = Dataset.from_dict({"text": [f"text {at}" for at in range(50)], "row": list(range(50))})
    whole = fingerprint.inputs(rows, ())
    for chosen in ([3, 1, 40, 2], [7], list(range(10, 30)), [0, 49], []):
        np.testing.assert_array_equal(fingerprint.inputs(rows.select(chosen), ()), whole[chosen])


def test_targets_of_any_kind_can_be_compared():
    rows = Dataset.from_dict({"row": [0, 1, 2, 3], "tags": [["a", "b"], ["a b"], ["a", "b"], []]})
    found = fingerprint.targets_of(rows, {"tags"})
    assert sorting.first_equal(found).tolist() == [0, 1, 0, 3]
    assert not fingerprint.targets_of(rows, ()).any()
