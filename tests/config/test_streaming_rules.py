"""What cannot be streamed is told with its mend, each where it was said; what merely does not apply is a notice."""

import json

import pytest

from tunebook.config import streaming_rules
from tunebook.config.check import check
from tunebook.config.compose import compose

FILES = ["task=text_classification", "dataset=files", "dataset.train=rows.csv", "dataset.labels=[bad,good]"]
STREAMED = [*FILES, "dataset.streaming=true", "dataset.rows.train=1000"]


def composed(*overrides: str):
    found = compose(list(overrides))
    return check(found)[0], found.places


def told(*overrides: str) -> dict[str, str]:
    return {problem.key: problem.message for problem in streaming_rules.problems(*composed(*overrides))}


def test_defaults_can_be_streamed():
    assert told(*STREAMED) == {}
    assert told(*FILES, "dataset.streaming=true", "hyperparameters.max_steps=10") == {}


def test_nothing_is_told_of_what_is_not_streamed():
    assert told(*FILES, "dataset.per_class=5", "sampling=oversample", "cleaning.duplicates=drop") == {}
    assert streaming_rules.notices(composed(*FILES)[0]) == []


@pytest.mark.parametrize(
    ("override", "key", "said"),
    [
        ("dataset.split.validation=0.1", "dataset.split.validation", "give validation rows of their own"),
        ("dataset.split.test=0.1", "dataset.split.test", "give test rows of their own"),
        ("dataset.split.k_fold=5", "dataset.split.k_fold", "set it to null"),
        ("dataset.per_class=5", "dataset.per_class", "set it to null"),
        ("dataset.max_rows={train: 5}", "dataset.max_rows.train", "for fewer rows set hyperparameters.max_steps"),
        ("dataset.columns.group=author", "dataset.columns.group", "take it out"),
        ("dataset.columns.time=date", "dataset.columns.time", "take it out"),
        ("dataset.columns.weight=trust", "dataset.columns.weight", "take it out"),
        ("dataset.columns.paraphrase=said", "dataset.columns.paraphrase", "take it out"),
        ("augmentation.method=paraphrase", "augmentation.method", "paraphrase adds rows"),
        ("dataset.labels=null", "dataset.labels", "must be given"),
        ("dataset.rows=null", "dataset.rows.train", "or give hyperparameters.max_steps"),
        ("cleaning.missing=drop", "hyperparameters.max_steps", "may leave streamed rows out"),
        ("cleaning.duplicates=drop", "cleaning.duplicates", "set cleaning.duplicates=ignore"),
        ("cleaning.near_duplicates=report", "cleaning.near_duplicates", "set cleaning.near_duplicates=ignore"),
        ("cleaning.conflicts=error", "cleaning.conflicts", "set cleaning.conflicts=ignore"),
        ("cleaning.leaks=drop", "cleaning.leaks", "set cleaning.leaks=ignore"),
        ("cleaning.near_leaks=error", "cleaning.near_leaks", "set cleaning.near_leaks=ignore"),
        ("cleaning.label_noise=report", "cleaning.label_noise", "set cleaning.label_noise=ignore"),
        ("sampling=oversample", "sampling.method", "set sampling=none"),
        ("loss=weighted", "loss.class_weights", "set it to null"),
        ("loss=weighted_binary", "loss.positive_weights", "set it to null"),
    ],
)
def test_each_combination_that_a_stream_cannot_follow(override, key, said):
    found = told(*STREAMED, override)
    assert list(found) == [key]
    assert said in found[key]


def test_a_source_that_holds_its_rows_is_refused():
    found = told(
        "task=text_classification", "dataset=reviews", "dataset.streaming=true", "hyperparameters.max_steps=10"
    )
    assert list(found) == ["dataset.streaming"]
    assert "it can with files and hub" in found["dataset.streaming"]


def test_mixing_and_images_are_refused():
    found = told(*STREAMED, "augmentation.method=text", "augmentation.mixup=0.2")
    assert list(found) == ["augmentation.mixup"]
    found = told("task=image_classification", *STREAMED[1:])
    assert list(found) == ["dataset.streaming"]
    assert "streams texts only" in found["dataset.streaming"]


def test_everything_is_told_at_once_with_its_place():
    overrides = [*STREAMED, "dataset.per_class=5", "sampling=oversample", "dataset.split.test=0.2"]
    found = streaming_rules.problems(*composed(*overrides))
    assert [problem.key for problem in found] == ["dataset.split.test", "dataset.per_class", "sampling.method"]
    assert [problem.place for problem in found][:2] == ["command line", "command line"]


def test_what_works_row_by_row_is_allowed():
    row_wise = ["cleaning.whitespace=collapse", "cleaning.unicode=NFC", "cleaning.missing=drop"]
    assert told(*STREAMED, *row_wise, "hyperparameters.max_steps=10") == {}
    assert told(*STREAMED, "dataset.max_rows={validation: 100}", "cleaning.duplicates=ignore") == {}
    assert told(*STREAMED, "task=text_regression", "dataset.labels=null") == {}
    columns = "dataset.columns={label: [warm, cold]}"
    assert told(*STREAMED, "task=multi_label_text", "dataset.labels=null", columns) == {}


def test_a_cleaning_that_was_chosen_is_a_choice():
    assert set(told(*STREAMED, "cleaning=strict", "hyperparameters.max_steps=10")) == {
        "cleaning.duplicates",
        "cleaning.near_duplicates",
        "cleaning.conflicts",
    }


def test_a_frozen_recipe_spells_the_defaults_out_and_still_runs(tmp_path):
    recipe = tmp_path / "frozen.yaml"
    config, _ = composed(*STREAMED)
    lines = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in config.cleaning.model_dump().items())
    recipe.write_text(f"# @package _global_\ndefaults:\n  - override /cleaning: null\ncleaning:\n{lines}")
    assert told(*STREAMED, f"+recipe={recipe}") == {}
    recipe.write_text(recipe.read_text().replace('conflicts: "report"', "conflicts: drop"))
    assert list(told(*STREAMED, f"+recipe={recipe}")) == ["cleaning.conflicts"]


def test_notices_say_what_the_defaults_would_have_done():
    first, second = streaming_rules.notices(composed(*STREAMED)[0])
    assert "duplicates, near_duplicates, conflicts, leaks, near_leaks (cleaning)" in first
    assert "audit" in second
    ignored = [
        f"cleaning.{key}=ignore" for key in ("duplicates", "near_duplicates", "conflicts", "leaks", "near_leaks")
    ]
    assert streaming_rules.notices(composed(*STREAMED, *ignored, "run.audit=false")[0]) == []
    steps = [*FILES, "dataset.streaming=true", "hyperparameters.max_steps=10", *ignored, "run.audit=false"]
    (unknown,) = streaming_rules.notices(composed(*steps)[0])
    assert "the 10 steps count as one epoch" in unknown
    assert "hyperparameters.eval_strategy=steps" in unknown
