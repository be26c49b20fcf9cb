"""Class balance, rare classes and lengths: exact counts on rows made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.data.audit.conftest import sentences
from tunebook.data.audit.checks import class_balance, lengths, rare_classes


def rows(*labels, seed=0):
    return {"text": sentences(len(labels), seed), "label": list(labels)}


def test_balance_counts_every_split(made):
    told = class_balance.check(made({"train": rows(*[0] * 60, *[1] * 20), "test": rows(*[0] * 30, *[1] * 10)}))
    assert told.numbers["rows"] == {"train": {"bad": 60, "good": 20}, "test": {"bad": 30, "good": 10}}
    assert told.numbers["imbalance_ratio"] == 3
    assert told.numbers["entropy_of_1"] == pytest.approx(0.8112781)  # -(3/4 ld 3/4 + 1/4 ld 1/4)
    assert told.numbers["drift"]["test"]["p"] == pytest.approx(1)
    assert (told.level, told.words) == ("fine", "2 classes; “bad” has 3 times the rows of “good” (20)")
    assert told.plots[0].series == {"train": [75, 25], "test": [75, 25]}


def test_equal_classes_and_strong_imbalance(made):
    assert class_balance.check(made({"train": rows(0, 0, 1, 1)})).words == "2 classes with 2 rows each"
    assert class_balance.check(made({"train": rows(*[0] * 50, *[1] * 10)})).level == "note"


def test_drifted_shares_are_told(made):
    told = class_balance.check(made({"train": rows(*[0, 1] * 200), "test": rows(*[0] * 90, *[1] * 10)}))
    assert told.numbers["drift"]["test"]["p"] < 1e-10
    assert told.numbers["drift"]["test"]["largest_change"] == pytest.approx(0.4)
    assert told.level == "note"
    assert told.words.endswith("test has 90 % “bad”, train 50 %")


def test_balance_of_several_labels(made):
    label = [[1, 0, 1]] * 6 + [[0, 1, 0]] * 3 + [[0, 0, 0]]
    told = class_balance.check(made({"train": rows(*label)}, ["a", "b", "c"], kind="multi_label"))
    assert told.numbers["rows"]["train"] == {"a": 6, "b": 3, "c": 6}
    assert told.numbers["labels_per_row"] == 1.5
    assert told.numbers["share_without_labels"] == 0.1
    assert told.words == "3 labels; “a” has 2 times the rows of “b” (3); 1.5 labels a row, 10 % without any"


def test_balance_of_numbers(made):
    train, test = np.linspace(0, 5, 300).tolist(), np.linspace(3, 5, 100).tolist()
    told = class_balance.check(made({"train": rows(*train), "test": rows(*test)}, kind="regression"))
    assert told.numbers["spread"]["train"]["mean"] == pytest.approx(2.5)
    assert told.numbers["drift"]["test"]["p"] < 1e-10
    assert told.level == "note"
    assert told.words.startswith("numbers from 0 to 5, 2.5 ± 1.45; test 4 ±")
    assert sum(told.plots[0].series["train"]) == pytest.approx(1)


def test_rare_classes_against_the_batch(made):
    labels = rows(*[0] * 190, *[1] * 10)
    told = rare_classes.check(made({"train": labels}, effective_batch=8))
    assert told.numbers["rows_per_batch"] == {"bad": pytest.approx(7.6), "good": pytest.approx(0.4)}
    assert told.numbers["less_than_1_per_batch"] == ["good"]
    assert (told.level, told.numbers["fewer_than_10_rows"]) == ("note", [])
    assert told.words == "not in every batch of 8: “good” in one of 2 batches"
    enough = rare_classes.check(made({"train": labels}, effective_batch=40))
    assert (enough.level, enough.words) == ("fine", "a batch of 40 holds 2 rows of the rarest class, “good”")


def test_a_class_of_nine_rows_is_warned_of(made):
    told = rare_classes.check(made({"train": rows(*[0] * 20, *[1] * 9)}, effective_batch=32))
    assert (told.level, told.words) == ("warning", "fewer than 10 training rows: “good” (9)")
    several = rows(*[[1, 0]] * 20, *[[0, 1]] * 9)
    assert rare_classes.check(made({"train": several}, kind="multi_label")).numbers["fewer_than_10_rows"] == ["good"]


def measure(texts, seconds):
    return [len(text.split()) + 2 for text in texts]


def of_words(*counts):
    return {"text": ["w " * count for count in counts], "label": [0] * len(counts)}


def test_what_just_fills_the_length_is_not_cut(made):
    """Encoded rows of 10 tokens held 8, 8, 9 and 18 words: two of five rows lose 1 and 10 tokens."""
    context = made(
        {"train": of_words(8, 8, 9, 18, 3)},
        max_length=10,
        lengths={"train": np.array([10, 10, 10, 10, 5])},
        measure=measure,
    )
    told = lengths.check(context)
    found = told.numbers["splits"]["train"]
    assert (found["cut"], found["cut_share"], found["measured"]) == (2, 0.4, 4)
    assert found["tokens_lost_share"] == pytest.approx(11 / 56)
    assert (found["longest"], found["p50"]) == (20, 10)
    assert told.level == "warning"
    assert told.words == "median 10 tokens, 99 % of rows up to 10, longest 20; max_length=10 cuts 40 % of train"
    assert told.plots[0].lines == {"max_length=10": 10.0}


def test_of_a_pair_both_texts_are_measured(made):
    asked = []

    def both(texts, seconds):
        asked.append((texts, seconds))
        return [len(a.split()) + len(b.split()) for a, b in zip(texts, seconds, strict=True)]

    columns = {"text": ["a b c", "a"], "text_pair": ["d e f", "b"], "label": [0, 1]}
    lengths_of = {"train": np.array([4, 2])}
    found = lengths.check(made({"train": columns}, max_length=4, lengths=lengths_of, measure=both)).numbers
    assert asked == [(["a b c"], ["d e f"])]
    assert found["splits"]["train"]["cut"] == 1


def test_nothing_is_cut_and_percentiles_are_lengths_of_rows(made):
    context = made({"train": of_words(*range(1, 101))}, max_length=200, lengths={"train": np.arange(1, 101)})
    found = lengths.check(context)
    assert {name: found.numbers["splits"]["train"][name] for name in ("p1", "p25", "p95", "longest")} == {
        "p1": 1,
        "p25": 25,
        "p95": 95,
        "longest": 100,
    }
    assert found.words.endswith("max_length=200 cuts none")
    assert found.level == "fine"


def test_rows_without_a_word_are_told_and_shown(made):
    context = made({"train": {"text": ["fine", " \t", "?!", ""], "label": [0, 0, 1, 1]}})
    told = lengths.check(context)
    assert (told.numbers["unit"], told.numbers["splits"]["train"]["without_words"]) == ("words", 3)
    assert (told.level, told.words) == (
        "note",
        "median 0 words, 99 % of rows up to 1, longest 1; 3 rows without a word",
    )
    assert [one.rows[0].row for one in told.examples] == [1, 2, 3]


def test_signs_of_scripts_without_blanks_count_as_words(made):
    context = made({"train": {"text": ["映画はとても good", "単"], "label": [0, 1]}})
    assert lengths.check(context).numbers["splits"]["train"]["longest"] == 7
