"""Paraphrases become training rows, marked and weighted, and never leak."""

import logging

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, DatasetDict

from tunebook.config.data_groups import CleaningConfig
from tunebook.data.augmentation import paraphrase
from tunebook.data.labels.base import Targets
from tunebook.data.prepare import PreparedData
from tunebook.errors import DataError

LABELS = ["bad", "good"]


def split(texts, paraphrases=None, labels=None, start=0):
    columns = {"text": texts, "label": labels or [at % 2 for at in range(len(texts))]}
    columns["row"] = list(range(start, start + len(texts)))
    if paraphrases is not None:
        columns["paraphrase"] = paraphrases
    return Dataset.from_dict(columns).cast_column("label", ClassLabel(names=LABELS))


def prepared(weights=None, paraphrases=None, **splits):
    given = paraphrases or [["a one", "uno"], None, ["", "c three", "C  Three", "held out"], ["dos"]]
    train = split(["one", "two", "three", "four"], given, start=10)
    given = {"train": train, "validation": split(["held OUT", "five"], [["never me"], ["nor me"]]), **splits}
    return PreparedData(
        DatasetDict(given), Targets(tuple(LABELS)), dict.fromkeys(given, "digest"), {}, None, "test", weights=weights
    )


def add(data, **options):
    return paraphrase.add_rows(data, paraphrase.Options(**options))


def test_added_rows_are_marked_and_follow_their_row():
    train = add(prepared()).splits["train"]
    assert train["text"][:] == ["one", "two", "three", "four", "a one", "uno", "c three", "dos"]
    assert train["origin"][:] == ["source"] * 4 + ["paraphrase"] * 4
    assert train["label"][:] == [0, 1, 0, 1, 0, 0, 0, 1]
    assert train["row"][:] == [10, 11, 12, 13, 10, 10, 12, 13]
    assert "paraphrase" not in train.column_names
    assert isinstance(train.features["label"], ClassLabel)


def test_other_splits_get_none_and_what_stands_in_them_is_not_added(caplog):
    with caplog.at_level(logging.INFO, logger="tunebook"):
        data = add(prepared())
    assert data.splits["validation"]["text"][:] == ["held OUT", "five"]
    assert data.splits["validation"]["origin"][:] == ["source", "source"]
    assert "held out" not in data.splits["train"]["text"][:]
    (said,) = caplog.messages
    assert said == (
        "4 paraphrases added to 4 training rows, with weight 0.5; 1 left out: empty; "
        "1 left out: repeats a training row; 1 left out: is in validation or test"
    )


def test_weights_are_in_the_proportion_asked_for_with_mean_1():
    weights = add(prepared(), weight=0.25).weights
    assert weights.mean() == pytest.approx(1)
    assert weights[4:] / weights[:4].mean() == pytest.approx(0.25)
    own = add(prepared(np.array([0.5, 0.5, 1.5, 1.5])), weight=0.5).weights
    assert own.mean() == pytest.approx(1)
    assert own / own[0] == pytest.approx([1, 1, 3, 3, 0.5, 0.5, 1.5, 1.5])


def test_so_many_of_each_row_and_single_texts():
    assert add(prepared(), most=1).splits["train"]["text"][4:] == ["a one", "dos"]
    single = add(prepared(paraphrases=["uno", None, "tres", ""]))
    assert single.splits["train"]["text"][4:] == ["uno", "tres"]


def test_a_paraphrase_of_a_pair_is_judged_with_its_second_text():
    train = split(["one", "two"], ["five", "five"], start=0).add_column("text_pair", ["a", "b"])
    held = split(["five"]).add_column("text_pair", ["a"])
    found = add(prepared(train=train, validation=held)).splits["train"]
    assert list(zip(found["text"], found["text_pair"], strict=True)) == [("one", "a"), ("two", "b"), ("five", "b")]


def test_what_is_almost_like_a_held_out_row_is_not_added_where_near_leaks_are_dropped(caplog):
    said = "the room was cold and loud and nobody at the desk cared about it"
    train = split(["one", "two"], [[f"{said}!", "a cold room"], ["uno"]], start=3)
    data = prepared(train=train, validation=split([said, "five"]))
    with caplog.at_level(logging.INFO, logger="tunebook"):
        kept = paraphrase.add_rows(data, paraphrase.Options(), CleaningConfig())
    assert kept.splits["train"]["text"][:] == ["one", "two", "a cold room", "uno"]
    assert kept.splits["train"]["row"][:] == [3, 4, 3, 4]
    assert len(kept.weights) == 4
    assert "1 left out: almost like a row of validation or test" in caplog.text
    for policy in ("report", "ignore"):
        all_of_them = paraphrase.add_rows(data, paraphrase.Options(), CleaningConfig(near_leaks=policy))
        assert f"{said}!" in all_of_them.splits["train"]["text"][:]


def test_almost_like_a_pair_are_only_both_texts():
    first, second = "the room was cold and loud and dark", "nobody at the desk cared about it at all"
    train = split(["one", "two"], [[f"{first}!"], [f"{first}."]], start=0).add_column("text_pair", [second, "other"])
    held = split([first]).add_column("text_pair", [f"{second}!"])
    kept = paraphrase.add_rows(prepared(train=train, validation=held), paraphrase.Options(), CleaningConfig())
    assert kept.splits["train"]["text"][2:] == [f"{first}."]


def test_no_paraphrases_at_all_change_nothing_but_the_mark():
    data = add(prepared(paraphrases=["", None, "", None]))
    assert data.splits["train"]["origin"][:] == ["source"] * 4
    assert data.weights.tolist() == [1, 1, 1, 1]


def test_a_column_that_is_missing_or_holds_numbers_is_told():
    with pytest.raises(DataError, match="must name the column"):
        add(prepared(train=split(["one", "two"])))
    with pytest.raises(DataError, match=r"row 10.*not 3"):
        add(prepared(paraphrases=[3, 4, 5, 6]))
