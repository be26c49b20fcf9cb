"""Texts that are alike are found, true to the count of their shingles, however many there are."""

from __future__ import annotations

import functools
import random
import time

import numpy as np
import pytest
from datasketch import MinHash

from tunebook.data import near, sketches
from tunebook.data.shingles import LETTERS, shingles

WORDS = ["the", "film", "was", "long", "and", "rather", "dull", "but", "its", "music", "made", "up", "for", "it"]


@functools.cache
def shingled(text: str) -> set[str]:
    """Shingles of plain words in lower case, counted by a way of the test's own."""
    plain = f" {text} "
    return {plain[at : at + LETTERS] for at in range(len(plain) - LETTERS + 1)}


def jaccard(one: str, other: str) -> float:
    a, b = shingled(one), shingled(other)
    return len(a & b) / len(a | b) if a | b else 0.0


def varied(count: int, seed: int) -> list[str]:
    """Random texts of 3 to 40 words; about half are another one with some words changed."""
    rng = random.Random(seed)
    texts: list[str] = []
    while len(texts) < count:
        if texts and rng.random() < 0.5:
            words = rng.choice(texts).split()
            for _ in range(rng.randint(0, 3)):
                words[rng.randrange(len(words))] = "".join(rng.choices("abcdefgh", k=rng.randint(2, 8)))
            if rng.random() < 0.3:
                words[-1] += "s"
        else:
            words = ["".join(rng.choices("aeinorst", k=rng.randint(2, 8))) for _ in range(rng.randint(3, 40))]
        texts.append(" ".join(words))
    return texts


@pytest.mark.parametrize("similarity", [0.5, 0.8, 0.95])
def test_finds_what_counting_all_pairs_finds(similarity):
    texts = varied(500, seed=3)
    true = {(i, j): jaccard(texts[i], texts[j]) for j in range(500) for i in range(j)}
    firsts = {}
    for (i, j), value in true.items():
        if value >= similarity:
            firsts[j] = min(i, firsts.get(j, i))
    found = near.alike(texts, similarity)
    assert [later for _, later, _ in found] == sorted({later for _, later, _ in found})
    for i, j, value in found:
        assert value == pytest.approx(true[i, j])
        assert value >= similarity
    assert len(firsts) > 30
    same = sum(firsts.get(j) == i for i, j, _ in found)
    assert same >= 0.95 * len(firsts)


def test_across_two_lists_agrees_with_counting_all_pairs():
    texts = varied(500, seed=5)
    others, rows = texts[:220], texts[220:]
    expected = {}
    for at, text in enumerate(rows):
        alike = [other for other in range(len(others)) if jaccard(others[other], text) >= 0.8]
        if alike:
            expected[at] = alike[0]
    found = near.alike_across(others, rows, 0.8)
    assert len(expected) > 10
    assert sum(expected.get(at) == other for other, at, _ in found) >= 0.95 * len(expected)
    assert all(value == pytest.approx(jaccard(others[other], rows[at])) for other, at, value in found)
    assert min(value for _, _, value in found) >= 0.8


def test_the_threshold_is_the_border():
    pair = [" ".join(WORDS), " ".join([*WORDS[:-1], "winter"])]
    exact = jaccard(*pair)
    assert near.alike(pair, exact) == [(0, 1, pytest.approx(exact))]
    assert near.alike(pair, exact + 1e-9) == []


def test_twice_the_same():
    texts = varied(300, seed=8)
    assert near.alike(texts, 0.7) == near.alike(texts, 0.7) == near.alike(sketches.sketch(texts), 0.7)


def test_signatures_are_those_of_datasketch():
    texts = varied(40, seed=1)
    hashes, ends = shingles([(text,) for text in texts])
    signatures = sketches.sketch(texts).signatures(np.arange(40))
    for at, end in enumerate(ends):
        plain = MinHash(num_perm=sketches.PERMUTATIONS, seed=1, hashfunc=int)
        plain.update_batch(hashes[ends[at - 1] if at else 0 : end].tolist())
        np.testing.assert_array_equal(signatures[at], plain.hashvalues)


def test_many_blocks_give_the_same_as_one(monkeypatch):
    texts = varied(300, seed=2)
    whole = near.alike(texts, 0.7)
    monkeypatch.setattr(sketches, "_BLOCK", 700)
    assert near.alike(texts, 0.7) == whole


@pytest.mark.parametrize(
    ("one", "other", "similar"),
    [
        ("Great film!", "great film", True),
        ("ok", "OK.", True),
        (":-)", ":-)", True),
        (":-)", ":-(", False),
        ("i love this film", "i hate this film", False),
        ("", "", False),
        ("", "a", False),
        ("この映画はとても面白かったです", "この映画はとても面白かったです!", True),
        ("ＡＢＣ ｄｅｆ ｇｈｉ", "abc def ghi", True),
        ("a\ud800b broken", "a\ud800b broken", True),
    ],
)
def test_what_counts_as_alike(one, other, similar):
    assert bool(near.alike([one, other], 0.8)) is similar


def test_of_two_texts_both_must_be_alike():
    long = " ".join(WORDS * 3)
    rows = [(long, "is it dull"), (long, "who went home"), (long + "!", "is it dull?")]
    assert near.alike(rows, 0.8) == [(0, 2, 1.0)]
    assert near.alike([long for _ in rows], 0.8) == [(0, 1, 1.0), (0, 2, 1.0)]
    assert near.alike([("ab", "cd"), ("cd", "ab")], 0.5) == []


def test_rows_that_are_all_alike_cost_no_more_than_others():
    texts = [f"your order number {at % 3000} was sent to you today by post" for at in range(20_000)]
    began = time.process_time()
    found = near.alike(texts, 0.7)
    assert time.process_time() - began < 40
    assert len(found) > 19_900
    assert all(earlier < later for earlier, later, _ in found)


def test_nothing_to_compare():
    assert near.alike([], 0.8) == near.alike(["one"], 0.8) == near.alike_across([], ["a"], 0.8) == []
    assert near.alike_across([], ["a b", "a b"], 0.8) == near.alike(["", "", "!"], 0.8) == []
    assert near.alike_across(["a"], [], 0.8) == []


def test_sketches_of_some_rows():
    rows = sketches.sketch(["one two three", "four five six", "One, two, three"])
    assert near.alike(rows.take([2, 1, 0]), 0.9) == [(0, 2, 1.0)]
