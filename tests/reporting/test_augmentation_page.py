"""Rows before and after augmentation, in the terminal and on the page."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tests.reporting.test_report import read
from tunebook.reporting.augmentation_page import augmentation_table, write_augmentation

EVIL = "<script>alert(1)</script>"
TEXTS = [({"text": f"a {EVIL}", "label": "good"}, [{"text": "a b"}, {"text": f"a {EVIL}"}], 12)]


def test_texts(tmp_path):
    write_augmentation(tmp_path, TEXTS, "mine", "text")
    page = read(tmp_path / "augmentation.html")
    said = " ".join(page.words)
    assert not [tag for tag, _ in page.tags if tag == "script"]
    assert "Row 12" in said
    assert ("after 1" in said, "after 2, unchanged" in said) == (True, True)
    lines = augmentation_table(TEXTS).splitlines()
    cells = [[cell.strip() for cell in line.split("│")[1:4]] for line in lines if line.startswith("│")]
    assert cells == [["12", "before", f"a {EVIL}"], ["", "after 1", "a b"], ["", "after 2", f"a {EVIL}"]]


def test_images_are_a_grid_and_a_mix_is_named(tmp_path):
    image = Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8))
    shown = [({"image": image, "label": "cat"}, [{"image": image, "mixed": "mixed with row 3 (dog): 30% of it"}], 5)]
    write_augmentation(tmp_path, shown, "mine", "image")
    page = read(tmp_path / "augmentation.html")
    assert sum(tag == "img" for tag, _ in page.tags) == 2
    assert "after 1: mixed with row 3 (dog): 30% of it" in page.words
    assert augmentation_table(shown) == "1 images before and after; look at the page"
