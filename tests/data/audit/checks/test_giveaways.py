"""A planted constant is found, and a word that is merely frequent is not."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tests.data.audit.conftest import png, sentences
from tunebook.data.audit.checks.giveaways import check


def labelled(count=400, planted="", share=0.5, seed=0, where="{mark} {text}"):
    """Texts of two labels; in a share of those of `good` a mark is planted. 'the' stands in every row."""
    texts = [f"the {text}" for text in sentences(count, seed)]
    labels = [at % 2 for at in range(count)]
    marked = int(share * count / 2)
    good = [at for at in range(count) if labels[at]][:marked]
    for at in good if planted else []:
        texts[at] = where.format(mark=planted, text=texts[at])
    return {"text": texts, "label": labels}


def found(context):
    return {(one["what"], one["label"]): one for one in check(context).numbers["found"]}


def test_a_planted_word_is_found_and_innocent_ones_are_not(made):
    rows = labelled(planted="zebra", share=0.5, where="the {mark} {text}")
    told = check(made({"train": rows}))
    assert [(one["what"], one["label"]) for one in told.numbers["found"]] == [("“zebra”", "good")]
    assert told.numbers["found"][0] == {"what": "“zebra”", "label": "good", "rows": 100, "precision": 1.0, "cover": 0.5}
    assert (told.level, told.tables[0].head[0]) == ("note", "word")
    assert told.words == "“zebra” gives “good” away: 100 % of its 100 rows are “good”, 50 % of “good” have it"
    assert "zebra" in told.examples[0].rows[0].text
    assert told.examples[0].rows[0].row == 1


def test_a_word_of_four_fifths_of_a_label_is_a_warning(made):
    levels = [check(made({"train": labelled(planted="zebra", share=share)})).level for share in (0.75, 0.85)]
    assert levels == ["note", "warning"]


def test_nothing_planted_nothing_found(made):
    told = check(made({"train": labelled()}))
    assert (told.level, told.numbers["found"]) == ("fine", [])


def test_beginnings_and_endings_count_to_the_letter(made):
    begin = found(made({"train": labelled(planted="Film:")}))
    assert ("the beginning “Film:”", "good") in begin
    assert ("“film”", "good") not in begin  # the word alone stands in rows of both labels
    end = found(made({"train": labelled(planted="~", where="{text}{mark}")}))
    assert end["the last sign “~”", "good"]["cover"] == 0.5


def test_a_word_in_too_few_rows_or_in_rows_of_both_labels_is_none(made):
    assert found(made({"train": labelled(planted="zebra", share=0.19)})) == {}
    assert found(made({"train": labelled(count=80, planted="zebra", share=0.45)})) == {}  # 18 rows
    rows = labelled(planted="zebra", share=0.5, where="the {mark} {text}")
    for at in (0, 2, 4):  # 3 of 103 rows are bad: 97 %
        rows["text"][at] += " zebra film"
    assert found(made({"train": rows})) == {}


def test_a_word_of_the_common_class_is_none_where_chance_alone_would_do(made):
    texts = sentences(1000, 3)
    labels = [int(at % 100 != 0) for at in range(1000)]  # 99 % good: every word is 'good' at 99 %
    assert found(made({"train": {"text": texts, "label": labels}})) == {}


def test_labels_of_a_row_with_several_are_judged_each(made):
    rows = labelled(planted="zebra", where="the {mark} {text}")
    several = [[1, label, 0] for label in rows["label"]]
    told = found(made({"train": {**rows, "label": several}}, ["every", "some", "none"], kind="multi_label"))
    assert set(told) == {("“zebra”", "some")}


def test_numbers_have_no_giveaways(made):
    rows = labelled(planted="zebra")
    assert isinstance(
        check(made({"train": {**rows, "label": [0.5 * one for one in rows["label"]]}}, kind="regression")), str
    )


def pictures(change, count=120):
    """Random images of two labels; those of the second go through `change`."""
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (16, 16, 3), dtype=np.uint8) for _ in range(count)]
    labels = [at % 2 for at in range(count)]
    return {
        "image": [png(change(one) if label else one) for one, label in zip(images, labels, strict=True)],
        "label": labels,
    }


def test_an_image_size_or_mode_of_one_label_is_found(made):
    size = found(made({"train": pictures(lambda one: np.pad(one, ((0, 4), (0, 0), (0, 0))))}))
    assert size["the size 16 x 20", "good"]["cover"] == 1.0
    assert size["the size 16 x 16", "bad"]["rows"] == 60
    mode = found(made({"train": pictures(lambda one: np.asarray(Image.fromarray(one).convert("L")))}))
    assert {("the mode L", "good"), ("the mode RGB", "bad")} <= set(mode)


def test_a_mark_in_a_corner_is_found_and_random_pixels_are_not(made):
    def mark(one):
        marked = one.copy()
        marked[:2, :2] = 255
        return marked

    told = found(made({"train": pictures(mark)}))
    assert ("the lightness at column 1, row 1 of a grid of 8 x 8", "good") in told
    assert found(made({"train": pictures(lambda one: one)})) == {}
