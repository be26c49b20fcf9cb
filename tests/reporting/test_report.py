"""The report: a valid page that needs nothing beside it and runs nothing that came from data."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from tests.reporting.conftest import HOSTILE
from tunebook.evaluation.thresholds import Thresholds
from tunebook.panels import Bars, Example, Panel, Row, Table
from tunebook.reporting import label_panels
from tunebook.reporting.report import write_report

SECTIONS = [
    "headline",
    "results",
    "curve",
    "confusion",
    "mistakes",
    "data",
    "freezing",
    "configuration",
    "machine",
]
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def read(path) -> Page:
    page = Page(path.read_text(encoding="utf-8"))
    assert page.open == []
    return page


@pytest.fixture
def page(make_summary, tmp_path) -> Page:
    write_report(tmp_path / "report.html", make_summary(resumed_from=1500))
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    return read(tmp_path / "report.html")


def test_all_sections_are_there(page):
    assert [attrs["id"] for tag, attrs in page.tags if tag == "section"] == SECTIONS


def test_no_id_is_given_twice(page):
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_nothing_of_the_data_runs(page):
    assert not {"script", "iframe", "object", "link"} & {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert any("<script>alert('x')</script>" in word for word in page.words)


def test_nothing_is_loaded_from_elsewhere(page):
    for _, attrs in page.tags:
        for name in ("src", "href", "xlink:href"):
            assert (attrs.get(name) or "#").startswith(("#", "data:")), attrs
    styles = " ".join(page.words)
    assert "@import" not in styles
    assert not re.search(r"url\((?!#)", styles)


def test_numbers_and_facts_are_shown(page):
    text = " ".join(" ".join(page.words).split())
    for shown in [
        "0.7000", "accuracy on test", "0.8125", "5:23", "6,920", "1,821", "train and test 3", "CC0",
        "3,000 of 4,000", "75.0%", "embeddings 1,000", "python run.py +recipe=bert_sentiment", "seed: 7",
        "Some CPU", "1,234 MiB", "2.13.0", "Resumed from step 1,500", "Confusion on test", "one seed",
    ]:  # fmt: skip
        assert shown in text, shown


def test_the_ten_surest_mistakes(page):
    rows = [word for word in page.words if re.search(r" n\d+$", word)]
    assert [int(word.rsplit("n", 1)[1]) for word in rows] == list(range(14, 4, -1))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "CMYK", "I", "F"])
def test_pictures_are_inline_and_small(make_summary, tmp_path, mode):
    image = Image.fromarray(np.full((300, 500), 128, dtype=np.uint8)).convert(mode)
    rows = [{"row": 3, "image": image}]
    compared = label_panels.Compared("test", rows, np.array([0]), np.array([1]), ["a", "b"])
    panels = label_panels.single_label(compared, np.array([0.9]))
    write_report(tmp_path / "r.html", make_summary(task="image_classification", panels=panels))
    (picture,) = [attrs for tag, attrs in read(tmp_path / "r.html").tags if tag == "img"]
    assert picture["src"].startswith("data:image/png;base64,")
    assert len(picture["src"]) < 60_000
    assert image.size == (500, 300)


def test_a_poor_run_has_a_page_too(make_summary, tmp_path):
    bare = make_summary(
        metrics={"validation": {"loss": float("nan")}}, monitor="", panels=[], history=[],
        overlaps={}, licence=None, freezing_lines=[], warnings=[], parameters=0, trainable=0, label_names=[],
    )  # fmt: skip
    write_report(tmp_path / "r.html", bare)
    text = " ".join(read(tmp_path / "r.html").words)
    assert "Licence: not stated" in text
    assert "none found" in text
    assert "nothing was logged" in text


def test_a_run_without_evaluation_has_a_page_too(make_summary, tmp_path):
    write_report(tmp_path / "r.html", make_summary(metrics={}, panels=[]))
    read(tmp_path / "r.html")


def words_of(path) -> str:
    return " ".join(" ".join(read(path).words).split())


def test_several_labels_have_a_table_and_no_confusion(make_summary, tmp_path):
    # Of joy one of two predicted rows is right, and one of four labelled ones is predicted.
    references = np.array([[1, 0], [1, 1], [1, 0], [1, 0], [0, 0]])
    predictions = np.array([[1, 0], [0, 0], [0, 1], [0, 0], [1, 0]])
    rows = [{"row": at, "text": f"x n{at}"} for at in range(5)]
    losses, tuned = np.array([0.1, 0.25, 1.75, 0.3, 0.2]), Thresholds({0: 0.3125, 1: 0.5}, tuned=True, rare={1: 2})
    summary = make_summary(
        target_type="multi_label", label_names=["joy", "love"],
        panels=label_panels.multi_label(
            label_panels.Compared("test", rows, references, predictions, ["joy", "love"], tuned), losses
        ),
        untuned={"test": {"loss": 0.6, "accuracy": 0.5, "f1_macro": 0.4375}},
    )  # fmt: skip
    write_report(tmp_path / "r.html", summary)
    ids = [attrs["id"] for tag, attrs in read(tmp_path / "r.html").tags if tag == "section"]
    assert "confusion" not in ids
    assert "labels" in ids
    text = words_of(tmp_path / "r.html")
    for shown in ["joy 0.5000 0.2500 0.3333 4 0.3125", "0.5000*", "too few validation rows", "Worst mistakes on test",
                  "test without thresholds", "0.4375", "joy, love – 0.2500", "2 x n2 joy love 1.7500"]:  # fmt: skip
        assert shown in text, shown
    assert text.index("x n2") < text.index("x n3") < text.index("x n1") < text.index("x n4")
    assert "x n0" not in text


def test_numbers_have_a_scatter_and_their_largest_errors(make_summary, tmp_path):
    rows = [{"row": 1, "text": "x n1"}, {"row": 2, "text": "x n2"}, {"row": 3, "text": "x n3"}]
    summary = make_summary(
        task="text_regression", target_type="regression", label_names=[], monitor="mae",
        panels=label_panels.regression(
            label_panels.Compared("test", rows, np.array([1.0, 4.5, 3.0]), np.array([2.0, 2.0, 3.0]))
        ),
        metrics={"test": {"loss": 0.01, "mae": 0.1}},
    )  # fmt: skip
    write_report(tmp_path / "r.html", summary)
    ids = [attrs["id"] for tag, attrs in read(tmp_path / "r.html").tags if tag == "section"]
    assert "scatter" in ids
    assert not {"confusion", "labels"} & set(ids)
    text = words_of(tmp_path / "r.html")
    assert "Largest errors on test" in text
    assert "Labels: numbers" in text
    assert text.index("2 x n2 4.5 2 -2.5") < text.index("1 x n1 1 2 +1")
    assert "x n3" not in text


def test_any_panel_is_shown(make_summary, tmp_path):
    panels = [
        Panel("First", "What to see.", [Table("Types", ["type", "F1"], [[HOSTILE, 1234]])]),
        Panel(
            "Second",
            plots=[Bars("Shares", ["a"], {"test": [1.0]}, "%"), Bars("More", ["b"], {"test": [2.0]}, "%")],
            examples=[Example("pair", [Row("test", 4, "good", "a text")])],
            key="generated",
        ),
        Panel(
            "Third", examples=[Example("", [Row("test", 5, "in", "text", facts={"predicted": "out", "rougeL": "1"})])]
        ),
    ]
    write_report(tmp_path / "r.html", make_summary(panels=panels))
    page = read(tmp_path / "r.html")
    ids = [attrs["id"] for tag, attrs in page.tags if tag == "section"]
    assert ids[3:6] == ["panel-1", "generated", "panel-3"]
    assert sum(tag == "svg" for tag, _ in page.tags) == 3
    text = words_of(tmp_path / "r.html")
    for shown in [
        "What to see.",
        f"{HOSTILE} 1,234",
        "test, row 4",
        "a text",
        "labelled predicted rougeL 5 text in out 1",
    ]:
        assert shown in text, shown


def test_findings_are_told_and_the_audit_is_linked(make_summary, tmp_path):
    summary = make_summary(findings=[f"12 of 980 rows {HOSTILE} (12 left out)"], audited=True)
    write_report(tmp_path / "r.html", summary)
    links = [attrs["href"] for tag, attrs in read(tmp_path / "r.html").tags if tag == "a"]
    assert links == ["audit.html"]
    assert f"12 of 980 rows {HOSTILE} (12 left out)" in words_of(tmp_path / "r.html")


def test_without_an_audit_nothing_is_linked(page):
    assert "a" not in {tag for tag, _ in page.tags}
