"""Blocks that come one by one give the same array as all at once."""

from __future__ import annotations

import numpy as np
import pytest

from tunebook.evaluation.growing_array import GrowingArray


@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_blocks_are_joined_in_order(shape, dtype):
    draw = np.random.default_rng(0)
    blocks = [(100 * draw.random((rows, *shape))).astype(dtype) for rows in (1, 700, 0, 500, 3000)]
    growing = GrowingArray()
    for block in blocks:
        growing.add(block)
        block[:] = 0  # a copy is kept
    assert growing.array().dtype == dtype
    assert len(growing.array()) == 4201
    assert growing.array().any()


def test_values_are_kept_while_memory_grows():
    growing = GrowingArray()
    for start in range(0, 5000, 50):
        growing.add(np.arange(start, start + 50))
    assert (growing.array() == np.arange(5000)).all()


def test_nothing_is_an_empty_array():
    assert GrowingArray().array().shape == (0,)
