"""Splits of one source come out near 0.5, of two sources near 1, and what gives them away is named."""

from __future__ import annotations

import numpy as np

from tests.data.audit.conftest import WORDS, png, sentences
from tunebook.data.audit.checks.alignment import check


def split_of(texts):
    return {"text": texts, "label": [0] * len(texts)}


def test_a_random_split_is_aligned(made):
    texts = sentences(1500)
    told = check(made({"train": split_of(texts[:1000]), "test": split_of(texts[1000:])}))
    pair = told.numbers["pairs"]["train and test"]
    assert abs(pair["auc"] - 0.5) < 0.05
    assert pair["low"] < 0.5 < pair["high"]
    assert pair["rows"] == {"train": 1000, "test": 500}
    assert told.level == "fine"
    assert told.words.startswith("test is like train: AUC 0.")
    assert told.tables == []


def test_another_source_is_told_and_what_tells_it(made):
    other = ["lorem", "ipsum", "dolor", "sit", "amet"]
    context = made({"train": split_of(sentences(300)), "test": split_of(sentences(200, 1, other))})
    told = check(context)
    pair = told.numbers["pairs"]["train and test"]
    assert pair["auc"] > 0.99
    assert told.level == "warning"
    named = {one["feature"]: one for one in pair["features"]}
    words = [name.strip("“”") for name in named if name.startswith("“")]
    assert words
    assert set(words) <= {*WORDS, *other}
    lorem = next(named[f"“{word}”"] for word in other if f"“{word}”" in named)
    assert (lorem["train"], lorem["test"] > 0.3, lorem["weight"] > 0) == (0.0, True, True)


def test_a_little_drift_lies_between(made):
    texts = sentences(800)
    drifted = [f"{text} lol" if at % 2 == 0 else text for at, text in enumerate(sentences(400, 1))]
    told = check(made({"train": split_of(texts), "validation": split_of(drifted)}))
    pair = told.numbers["pairs"]["train and validation"]
    assert 0.55 < pair["low"] < pair["auc"] < pair["high"] < 0.85
    assert told.level == "note"
    lol = next(one for one in pair["features"] if one["feature"] == "“lol”")
    assert (lol["train"], round(lol["validation"], 9)) == (0.0, 0.5)
    assert "“lol”" in told.words


def test_style_alone_is_seen(made):
    texts = sentences(600)
    loud = [text.upper() for text in texts[300:]]
    told = check(made({"train": split_of(texts[:300]), "test": split_of(loud)}))
    assert told.numbers["pairs"]["train and test"]["auc"] > 0.99
    assert told.numbers["pairs"]["train and test"]["features"][0]["feature"] == "capital letters"


def test_rows_in_both_splits_do_not_tell_them_apart(made):
    texts = [f"{text} {at}" for at, text in enumerate(sentences(300))]
    told = check(made({"train": split_of(texts), "test": split_of(texts)}))
    assert told.numbers["pairs"]["train and test"]["auc"] == 0.5


def test_many_copies_of_a_few_texts_in_each_split_are_not_learned_by_heart(made):
    """Twenty copies of each text: ungrouped folds would know every one of them by heart."""
    generator = np.random.default_rng(0)
    signs = [f"w{at}" for at in range(4000)]
    texts = [" ".join(generator.choice(signs, 6)) for _ in range(120)]
    told = check(made({"train": split_of(texts[:60] * 20), "test": split_of(texts[60:] * 20)}))
    assert told.numbers["pairs"]["train and test"]["auc"] < 0.7


def test_few_rows_say_nothing(made):
    assert isinstance(check(made({"train": split_of(sentences(50)), "test": split_of(sentences(19))})), str)
    assert isinstance(check(made({"train": split_of(sentences(50))})), str)


def pictures(count, seed, shift=0):
    generator = np.random.default_rng(seed)
    images = [png((generator.integers(0, 200, (12, 12, 3)) + shift).astype(np.uint8)) for _ in range(count)]
    return {"image": images, "label": [0] * count}


def test_images_of_one_source_and_of_two(made):
    same = check(made({"train": pictures(200, 0), "test": pictures(120, 1)})).numbers["pairs"]["train and test"]
    lighter = check(made({"train": pictures(200, 0), "test": pictures(120, 1, 55)})).numbers["pairs"]["train and test"]
    assert same["low"] < 0.5 < same["high"]
    assert lighter["auc"] > 0.99
    assert "column" in lighter["features"][0]["feature"]
