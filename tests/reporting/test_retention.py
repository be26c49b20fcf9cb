"""Figures of previous tasks as they are shown: one row a figure, a sign on every change, and nothing where none is."""

import pytest

from tunebook.reporting import retention
from tunebook.reporting.model_card import write_card
from tunebook.reporting.report import render
from tunebook.reporting.summary import RetentionFigure

FIGURES = [
    RetentionFigure(run="out/mood", split="test", metric="accuracy", before=0.875, after=0.5),
    RetentionFigure(run="out/mood", split="test", metric="loss", before=0.25, after=1.5),
    RetentionFigure(run="out/<b>", split="validation", metric="loss", before=0.5, after=0.49999),
]


def test_a_change_has_its_sign_and_none_has_none():
    rows = retention.cells(FIGURES)
    assert rows[0] == ("out/mood", "test", "accuracy", "0.8750", "0.5000", "-0.3750")
    assert [row[-1] for row in rows] == ["-0.3750", "+1.2500", "0.0000"]


def test_the_table_names_each_run_and_split_once():
    lines = retention.retention_table(FIGURES).splitlines()
    assert sum("out/mood" in line for line in lines) == 1
    assert sum("test " in line for line in lines) == 1
    assert any("1.5000" in line and "+1.2500" in line for line in lines)


def test_what_is_written_can_be_read_again():
    plain = retention.plain(FIGURES)
    assert plain["out/mood"]["test"]["loss"] == {"before": 0.25, "after": 1.5, "change": 1.25}
    assert retention.read({"retention": plain}) == FIGURES
    assert retention.read({}) == []


@pytest.mark.parametrize("figures", [FIGURES, []])
def test_report_and_card_show_them_where_there_are_some(make_summary, tmp_path, figures):
    summary = make_summary(retention=figures)
    page = render(summary)
    write_card(tmp_path / "README.md", summary)
    card = (tmp_path / "README.md").read_text()
    assert ("Previous tasks" in page) == ("## Previous tasks" in card) == bool(figures)
    assert ("+1.2500" in page) == ("| out/mood | test | loss | 0.2500 | 1.5000 | +1.2500 |" in card) == bool(figures)
    assert "out/<b>" not in page
    assert ("out/&lt;b&gt;" in page) == bool(figures)
