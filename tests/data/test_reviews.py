"""The shipped reviews are what their README says."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter

import pytest

from tunebook.data.sources.reviews import FOLDER

ROWS = {"train": 980, "validation": 210, "test": 210}


@pytest.fixture(scope="module")
def rows() -> dict[str, list[dict[str, str]]]:
    return {
        split: [json.loads(line) for line in (FOLDER / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]
        for split in ROWS
    }


@pytest.fixture(scope="module")
def words(rows: dict[str, list[dict[str, str]]]) -> list[list[str]]:
    texts = [row["text"] for split in rows.values() for row in split]
    return [re.findall(r"[a-z0-9']+", text.lower()) for text in texts]


@pytest.mark.parametrize(("split", "count"), ROWS.items())
def test_counts_and_balance(rows, split, count):
    assert Counter(row["label"] for row in rows[split]) == {"negative": count // 2, "positive": count // 2}


def test_columns_are_plain_text(rows):
    for row in itertools.chain(*rows.values()):
        assert list(row) == ["text", "label", "topic"]
        assert row["text"] == row["text"].strip()
        assert row["text"].isascii()


def test_topics_are_48(rows):
    assert len({row["topic"] for row in itertools.chain(*rows.values())}) == 48


def test_lengths(rows):
    lengths = [len(row["text"].split()) for row in itertools.chain(*rows.values())]
    assert min(lengths) >= 4
    assert max(lengths) <= 60
    assert 20 < sum(lengths) / len(lengths) < 25


def test_no_two_texts_are_equal(rows):
    folded = [" ".join(row["text"].lower().split()) for row in itertools.chain(*rows.values())]
    assert len(set(folded)) == len(folded) == 1400


def test_no_near_duplicates(words):
    grams = [{tuple(text[i : i + 3]) for i in range(len(text) - 2)} for text in words]
    greatest = max(len(a & b) / len(a | b) for a, b in itertools.combinations(grams, 2) if not a.isdisjoint(b))
    assert 0 < greatest <= 0.4


@pytest.mark.parametrize(("length", "most"), [(5, 1), (4, 2)])
def test_openings_differ(words, length, most):
    opening, count = Counter(tuple(text[:length]) for text in words).most_common(1)[0]
    assert count <= most, opening


def test_readme_states_the_counts():
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for split, count in ROWS.items():
        assert f"| {split} | {count} | {count // 2} | {count // 2} |" in readme
