"""Weights of rows have mean 1, and bad ones are refused by row."""

from __future__ import annotations

import math

import numpy as np
import pytest
from datasets import Dataset

from tunebook.data.cleaning.weights import scaled, weights_of
from tunebook.errors import DataError


def train(weights):
    return Dataset.from_dict({"row": list(range(len(weights))), "weight": weights})


def test_scaled_to_mean_one():
    np.testing.assert_allclose(weights_of(train([1, 2, 3, 2]), "key"), [0.5, 1, 1.5, 1])
    np.testing.assert_allclose(weights_of(train([1e308, 1e308]), "key"), [1, 1])
    assert scaled([1e-300, 3e-300]).tolist() == pytest.approx([0.5, 1.5])


def test_none_without_the_column():
    assert weights_of(train([1]).remove_columns("weight"), "key") is None


@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf, None])
def test_refuses(bad):
    with pytest.raises(DataError, match=r"dataset.columns.weight='w'.*numbers above 0.*row 1 \(counted"):
        weights_of(train([1.0, bad, 2.0]), "dataset.columns.weight='w'")


@pytest.mark.parametrize("bad", [["1", "2"], [True, True]])
def test_refuses_what_is_no_number(bad):
    with pytest.raises(DataError, match="rows 0, 1"):
        weights_of(train(bad), "key")
