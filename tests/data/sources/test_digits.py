"""scikit-learn's digits as images."""

from __future__ import annotations

import numpy
from sklearn.datasets import load_digits

from tunebook.data.sources import digits
from tunebook.data.sources.base import LoadContext


def test_digits_are_scaled_to_grey_images():
    train = digits.load(digits.Options(), LoadContext())["train"]
    assert train.num_rows == 1797
    image = train[0]["image"]
    assert (image.mode, image.size, train[0]["label"]) == ("L", (8, 8), "0")
    raw = load_digits().images[0]
    assert numpy.array_equal(numpy.asarray(image), (raw * 255 / 16).round())
    assert max(numpy.asarray(row["image"]).max() for row in train.select(range(50))) == 255
