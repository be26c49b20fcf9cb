"""Equal numbers are found by their first occurrence, in one piece or in several."""

from __future__ import annotations

import numpy as np
import pytest

from tunebook.data import sorting


def test_first_equal_and_first_in():
    keys = np.array([[5, 1], [2, 2], [5, 1], [5, 2], [2, 2], [5, 1]], dtype=np.uint64)
    assert sorting.first_equal(keys).tolist() == [0, 1, 0, 3, 1, 0]
    assert sorting.first_in(keys[1:3], keys).tolist() == [1, 0, 1, -1, 0, 1]
    assert sorting.first_equal(keys[:0]).tolist() == []


@pytest.mark.parametrize("step", [3, 1 << 16])
def test_first_equal_is_the_first_of_any_number(step, monkeypatch):
    monkeypatch.setattr(sorting, "STEP", step)
    keys = np.random.default_rng(0).integers(0, 12, (200, 2)).astype(np.uint64)
    rows = [tuple(row) for row in keys.tolist()]
    assert sorting.first_equal(keys[:, :1], keys[:, 1:]).tolist() == [rows.index(row) for row in rows]
