"""The audit's table and page: short, valid, self-contained, and running nothing that came from data."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from tests.reporting.test_report import read
from tunebook.data.audit.audit import Audit
from tunebook.data.audit.check_result import Bars, CheckResult, Example, Histogram, Row, Table
from tunebook.reporting.audit_page import audit_table, write_audit

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def found() -> Audit:
    image = Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8))
    looks = {
        "leaks": CheckResult(
            words=f"{EVIL} leaks",
            level="warning",
            numbers={"findings": 1},
            tables=[Table("Leaks", ["finding", "rows"], [[EVIL, 1234], [f"{EVIL} again", "5 %"]])],
            examples=[
                Example(EVIL, [Row("train", 1, EVIL, EVIL), Row("test", 2, "good", "  "), Row("test", 3, image=image)])
            ],
        ),
        "class_balance": CheckResult(
            words="2 classes",
            plots=[
                Bars("Shares $x$", [EVIL, "good"], {"train": [40.0, 60.0], "test": [50.0, 50.0]}, "%"),
                Histogram("Lengths", [0.0, 1.0, 2.0], {"train": [0.5, 0.5]}, "tokens", {"max_length=2": 2.0}),
            ],
        ),
        "missing_values": CheckResult(words="none found"),
    }
    return Audit(looks, {"train": 1200, "test": 5}, [EVIL, "good"], f"files: {EVIL}", 7)


@pytest.fixture
def page(found, tmp_path):
    write_audit(tmp_path, found, "mine")
    return read(tmp_path / "audit.html")


def test_dataset_text_is_escaped_wherever_it_stands(page):
    assert not [tag for tag, _ in page.tags if tag == "script"]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    # Source, overview, section, two table cells, title, label and text of the example, and a bar's name.
    assert sum(word.count(EVIL[8:16]) for word in page.words) >= 8


def test_the_page_needs_nothing_beside_it(page):
    links = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in {"src", "href", "xlink:href"}
    ]
    assert links
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)
    assert sum(tag == "svg" for tag, _ in page.tags) == 2
    assert sum(tag == "img" for tag, _ in page.tags) == 1


def test_sections_are_linked_and_checks_without_more_are_lines_only(page):
    sections = [attributes["id"] for tag, attributes in page.tags if tag == "section"]
    assert sections == ["overview", "leaks", "class_balance"]
    assert [attributes["href"] for tag, attributes in page.tags if tag == "a"] == ["#leaks", "#class_balance"]
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))


def test_numbers_and_empty_texts_are_shown(page):
    text = " ".join(page.words)
    assert "1,234" in text
    assert "(empty)" in text
    assert "max_length=2" in text


def test_the_json_lies_beside_the_page(found, page, tmp_path):
    assert json.loads((tmp_path / "audit.json").read_text(encoding="utf-8")) == found.record()


def test_the_table_is_a_line_a_check(found, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = audit_table(found).splitlines()
    assert lines[0] == "Audit of 1,200 train, 5 test rows"
    assert max(map(len, lines)) <= 80
    assert [line.split("│")[1:3] for line in lines if "│" in line][0][0].strip() == "leaks"
    assert [line.split("│")[2].strip() for line in lines if line.startswith("│")] == ["warning", "fine", "fine"]
