"""Sizes, modes and formats of images, counted exactly, and a sample of large splits."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from tests.data.audit.conftest import png
from tunebook.data.audit import context as material_module
from tunebook.data.audit.checks.images import check


def noise(height, width, channels=3, seed=0):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def jpeg(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG")
    return {"bytes": buffer.getvalue(), "path": None}


def test_equal_images_in_a_line(made):
    told = check(made({"train": {"image": [png(noise(8, 10, seed=at)) for at in range(4)], "label": [0, 1, 0, 1]}}))
    assert (told.level, told.words) == ("fine", "all 10 x 8 pixels; mode RGB")
    assert told.numbers["width"] == {"least": 10, "median": 10.0, "most": 10}
    assert [plot.title for plot in told.plots] == ["Mean brightness"]


def test_sizes_modes_formats_and_odd_images_are_counted(made):
    images = [png(noise(8, 8)), png(noise(16, 8)), png(noise(8, 8, 1)), jpeg(noise(8, 40)), png(np.zeros((8, 8), "u1"))]
    told = check(made({"train": {"image": images, "label": [0] * 5}}))
    assert told.numbers["modes"] == {"RGB": 3, "L": 2}
    assert told.numbers["formats"] == {"PNG": 4, "JPEG": 1}
    assert (told.numbers["elongated"], told.numbers["one_colour"]) == (1, {"train": 1})
    assert told.level == "note"
    assert told.words.startswith("8 x 8 to 40 x 16 pixels, median 8 x 8; mode RGB 3, L 2; PNG 4, JPEG 1; 1 are more")
    assert told.plots[0].title == "Size"
    assert ["train", "8 x 8", "L", "PNG", 2] in told.tables[0].rows


def test_a_large_split_is_sampled_and_says_so(made, monkeypatch):
    monkeypatch.setattr(material_module, "MOST_IMAGES", 3)
    rows = {"train": {"image": [png(noise(8, 8, seed=at)) for at in range(7)], "label": [0] * 7}}
    first, again = made(rows).images("train"), made(rows).images("train")
    assert len(first.at) == 3
    assert (first.at == again.at).all()
    assert check(made(rows)).words.endswith("3 of train looked at")


def test_texts_have_no_images(made):
    assert isinstance(check(made({"train": {"text": ["a"], "label": [0]}})), str)
