"""Duplicates, conflicts, leaks and missing values: what cleaning found is told, levelled and shown."""

from __future__ import annotations

import pytest

from tunebook.config.schema import CleaningConfig
from tunebook.data.audit.checks import duplicates, label_conflicts, label_noise, leaks, missing_values
from tunebook.data.cleaning.findings import Dropped, Finding


def finding(kind, rows, partners=(), policy="report", split="train", dropped=0, words="some words", of=0):
    return Finding(kind, policy, split, rows, list(partners), dropped, words, of)


def splits(train=40, test=10):
    return {
        "train": {"text": [f"train {at}" for at in range(train)], "label": [at % 2 for at in range(train)]},
        "test": {"text": [f"test {at}" for at in range(test)], "label": [at % 2 for at in range(test)]},
    }


def test_paraphrases_are_no_row_of_the_source_and_their_mark_is_no_text(made):
    """As `augmentation=paraphrase` adds them: after all rows, each with the number of its original."""
    given = splits()
    train = {role: values + values for role, values in given["train"].items()}
    train["text"][40:] = [f"said otherwise {at}" for at in range(40)]
    train |= {"row": list(range(40)) * 2, "origin": ["source"] * 40 + ["paraphrase"] * 40}
    test = given["test"] | {"origin": ["source"] * 10}
    context = made({"train": train, "test": test})
    assert context.text_roles == ["text"]
    assert context.texts("train")[39:41] == ["train 39", "said otherwise 0"]
    assert context.row("train", 7).text == "train 7"


@pytest.mark.parametrize("check", [duplicates, label_conflicts, missing_values, leaks])
def test_nothing_found(made, check):
    told = check.check(made(splits()))
    assert told.level == "fine"
    assert told.words in {"none found", "no row is in two splits"}


def test_duplicates_are_counted_and_shown_with_what_they_repeat(made):
    found = [finding("duplicates", [7], [("train", 3)]), finding("near_duplicates", [9], [("train", 2)], split="test")]
    told = duplicates.check(made(splits(), findings=found))
    assert told.words == "exact: 1 of train (2.5 %); near: 1 of test in train (10 %)"
    assert told.numbers["findings"][0] == {
        "kind": "duplicates", "split": "train", "rows": 1, "dropped": 0, "policy": "report"
    }  # fmt: skip
    first = told.examples[0]
    assert first.title == "duplicates: row 7 of train repeats row 3 of train"
    assert [(row.split, row.row, row.text, row.label) for row in first.rows] == [
        ("train", 7, "train 7", "good"),
        ("train", 3, "train 3", "good"),
    ]


def test_many_duplicates_are_a_warning_until_they_are_dropped(made):
    rows = list(range(4))
    partners = [("train", 30)] * 4
    assert duplicates.check(made(splits(), findings=[finding("duplicates", rows, partners)])).level == "warning"
    gone = finding("duplicates", rows, partners, "drop", dropped=4)
    records = [Dropped("train", 100 + at, "duplicates", {}) for at in rows]
    told = duplicates.check(made(splits(), findings=[gone], dropped=records))
    assert (told.level, told.words) == ("note", "exact: 4 of train (9.1 %), left out")
    assert duplicates.check(made(splits(), findings=[finding("duplicates", [1], [("train", 0)])])).level == "note"


def test_a_dropped_row_is_shown_from_the_record(made):
    gone = Dropped("train", 99, "leaks", {"text": "the same", "label": "good"})
    found = finding("leaks", [99], [("test", 4)], "drop", dropped=1)
    told = leaks.check(made(splits(), findings=[found], dropped=[gone], overlaps={("train", "test"): 0}))
    assert (told.level, told.words) == ("note", "exact: 1 of train in test (2.4 %), left out")
    assert [(row.split, row.row, row.text) for row in told.examples[0].rows] == [
        ("train", 99, "the same"),
        ("test", 4, "test 4"),
    ]


def test_leaks_that_stay_are_a_warning(made):
    found = finding("leaks", [3], [("test", 4)])
    told = leaks.check(made(splits(), findings=[found], overlaps={("train", "test"): 1}))
    assert told.level == "warning"
    assert told.words == "exact: 1 of train in test (2.5 %); left: 1 row of test in train too, word for word"
    assert told.numbers["left"] == {"train and test": 1}


def test_a_row_that_was_carved_after_it_was_found_is_found_in_its_split(made):
    rows = splits()
    rows["validation"] = {"text": ["carved"], "label": [0], "row": [50]}
    told = duplicates.check(made(rows, carved=("validation",), findings=[finding("duplicates", [50], [("train", 1)])]))
    (example,) = told.examples
    assert [(row.split, row.row, row.text) for row in example.rows] == [
        ("train (now in validation)", 50, "carved"),
        ("train", 1, "train 1"),
    ]
    assert example.title == "duplicates: row 50 of train (now in validation) repeats row 1 of train"


def test_what_was_not_looked_for_is_said(made):
    cleaning = CleaningConfig(near_duplicates="ignore")
    told = duplicates.check(made(splits(), cleaning=cleaning))
    assert told.words == "none found; not looked for: cleaning.near_duplicates=ignore"
    both = duplicates.check(made(splits(), cleaning=CleaningConfig(duplicates="ignore", near_duplicates="ignore")))
    assert both.words == "not looked for: cleaning.duplicates, cleaning.near_duplicates=ignore"


def test_conflicts_and_label_noise(made):
    told = label_conflicts.check(made(splits(), findings=[finding("conflicts", [1], [("train", 2)])]))
    assert (told.level, told.examples[0].title) == ("warning", "conflicts: row 1 of train contradicts row 2 of train")
    assert label_noise.check(made(splits())) == "cleaning.label_noise=ignore"
    noisy = made(splits(), cleaning=CleaningConfig(label_noise="report"), findings=[finding("label_noise", [5])])
    assert label_noise.check(noisy).words == "1 of train (2.5 %)"
    assert label_noise.check(noisy).examples[0].rows[0].text == "train 5"


def test_a_finding_that_says_of_how_many_rows_it_is_is_believed(made):
    """As with `dataset.per_class=8`, which leaves few of the rows that were looked at, and drops none."""
    rows = splits(train=16)
    told = duplicates.check(made(rows, findings=[finding("duplicates", list(range(9)), [("train", 0)] * 9, of=300)]))
    assert told.words == "exact: 9 of train (3 %)"


def test_shares_are_of_the_rows_that_were_looked_at(made):
    """Found among 40 rows of train; 10 of them were carved since, 2 of those dropped for a leak."""
    rows = splits(train=30)
    rows["validation"] = {"text": [f"carved {at}" for at in range(8)], "label": [0] * 8, "row": list(range(30, 38))}
    gone = [Dropped("validation", 38 + at, "leaks", {"text": f"gone {at}", "label": "bad"}) for at in range(2)]
    found = finding("duplicates", [38], [("train", 33)])
    told = duplicates.check(made(rows, carved=("validation",), findings=[found], dropped=gone))
    assert told.words == "exact: 1 of train (2.5 %)"
    assert [row.text for row in told.examples[0].rows] == ["gone 0", "carved 3"]
