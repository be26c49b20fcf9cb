"""The small changes to words: what each may do and what it never does."""

import numpy as np
import pytest

from tunebook.data.augmentation import _words

TEXT = "  A warm,  funny film\twith 3 Great actors.\n"


def numbers(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("text", [TEXT, "", "   ", "one", "one ", " one", "größe  naïve 電影"])
def test_words_and_gaps_make_up_the_text(text):
    words, gaps = _words.split(text)
    assert len(gaps) == len(words) + 1
    assert _words.join(words, gaps) == text


def test_probability_0_changes_nothing():
    words, gaps = _words.split(TEXT)
    assert _words.delete(words, gaps, numbers(), 0.0) == (words, gaps)
    assert _words.swap(words, numbers(), 0.0) == words
    assert _words.keyboard(words, numbers(), 0.0, "qwerty") == words
    assert _words.case(words, numbers(), 0.0) == words
    assert _words.synonyms(words, numbers(), 0.0, {"warm": ("hot",)}) == words


def test_deletion_never_empties_a_text():
    words, gaps = _words.split("never lose the last one")
    kept = set()
    for seed in range(50):
        left, around = _words.delete(words, gaps, numbers(seed), 1.0)
        assert len(left) == 1
        assert len(around) == 2
        kept |= set(left)
    assert kept == set(words)
    assert _words.delete([], ["  "], numbers(), 1.0) == ([], ["  "])


def test_deletion_leaves_the_share_that_was_asked_for_in_order_and_evenly_spaced():
    words = [str(at) for at in range(1000)]
    left, gaps = _words.delete(words, ["", *[" "] * 999, ""], numbers(), 0.2)
    assert 750 < len(left) < 850
    assert left == sorted(left, key=int)
    assert _words.join(left, gaps).split(" ") == left


def test_swapping_moves_a_word_by_one_place_and_loses_none():
    words = [str(at) for at in range(200)]
    swapped = _words.swap(words, numbers(), 0.3)
    assert sorted(swapped, key=int) == words
    assert swapped != words
    assert max(abs(at - int(word)) for at, word in enumerate(swapped)) == 1
    assert _words.swap(["a", "b"], numbers(), 1.0) == ["b", "a"]
    assert _words.swap(["a", "b", "c", "d"], numbers(), 1.0) == ["b", "a", "d", "c"]
    assert _words.swap(["a"], numbers(), 1.0) == ["a"]
    assert _words.swap([], numbers(), 1.0) == []


def test_a_typing_error_is_one_letter_beside_the_right_one():
    near = _words.neighbours("qwerty")
    words = _words.split("The Quick brown fox jumps over 13 lazy dogs!")[0]
    found = _words.keyboard(words, numbers(), 1.0, "qwerty")
    for word, wrong in zip(words, found, strict=True):
        assert len(word) == len(wrong)
        changed = [(a, b) for a, b in zip(word, wrong, strict=True) if a != b]
        assert len(changed) == (0 if word == "13" else 1)
        assert all(b.lower() in near[a.lower()] and a.isupper() == b.isupper() for a, b in changed)


@pytest.mark.parametrize("layout", _words.ROWS)
def test_neighbours_are_mutual_and_near(layout):
    near = _words.neighbours(layout)
    assert all(letter in near[other] for letter, others in near.items() for other in others)
    assert all(letter not in others and 2 <= len(others) <= 6 for letter, others in near.items())


def test_neighbours_of_two_keys_as_they_lie_before_you():
    assert set(_words.neighbours("qwerty")["s"]) == set("adwezx")
    assert set(_words.neighbours("qwertz")["y"]) == set("xas")


def test_case_noise_changes_case_only_and_keeps_lengths():
    words = ["warm", "Funny", "FILM", "straße", "3", "ﬁne", "İ"]
    ways = set()
    for seed in range(40):
        found = _words.case(words, numbers(seed), 1.0)
        assert [len(word) for word in found] == [len(word) for word in words]
        assert [word.casefold() for word in found[:5]] == [word.casefold() for word in words[:5]]
        assert found[0] != "warm"
        ways.add(found[0])
        assert found[3] in {"STRAßE", "Straße"}
    assert ways == {"WARM", "Warm"}


def test_synonyms_keep_case_and_punctuation():
    known = {"good": ("fine",), "film": ("motion picture",), "don't": ("do not",)}
    words = ["Good", '"good,"', "GOOD!", "film.", "goods", "Don't", "--"]
    found = _words.synonyms(words, numbers(), 1.0, known)
    assert found == ["Fine", '"fine,"', "FINE!", "motion picture.", "goods", "Do not", "--"]


def test_every_synonym_is_used():
    found = _words.synonyms(["good"] * 100, numbers(), 1.0, {"good": ("fine", "nice", "great")})
    assert set(found) == {"fine", "nice", "great"}
    half = _words.synonyms(["good"] * 1000, numbers(), 0.5, {"good": ("fine",)})
    assert 430 < half.count("fine") < 570
