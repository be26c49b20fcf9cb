"""Texts follow from (seed, row, epoch, copy) alone; word lists are read line by line."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import ValidationError

from tunebook.data.augmentation import text
from tunebook.data.row_key import RowKey
from tunebook.errors import ConfigurationError

NOISE = {"deletion": 0.2, "swap": 0.2, "keyboard": 0.2, "case": 0.2}
ROWS = {
    "text": [f"the plot is thin and the jokes of part {at} are bad" for at in range(8)],
    "text_pair": [f"what a dull and boring waste of time {at}" for at in range(8)],
    "label": list(range(8)),
}
KEYS = [RowKey(at) for at in range(8)]


def synonym_problems(file):
    """What the check of a configuration says of a file of synonyms."""
    options = text.Options(synonyms=str(file))
    return text.problems(SimpleNamespace(augmentation=SimpleNamespace(options=options)))


def augmentation(seed=1, **options):
    return text.Augmentation(text.Options(**options), seed)


def test_the_same_key_gives_the_same_words_and_another_epoch_copy_or_seed_gives_others():
    first = augmentation(**NOISE).apply(ROWS, KEYS)
    assert first == augmentation(**NOISE).apply(ROWS, KEYS)
    assert first["label"] == ROWS["label"]
    for role in ("text", "text_pair"):
        assert first[role] != ROWS[role]
        for other in (
            augmentation(**NOISE).apply(ROWS, [key._replace(epoch=1) for key in KEYS]),
            augmentation(**NOISE).apply(ROWS, [key._replace(copy=1) for key in KEYS]),
            augmentation(seed=2, **NOISE).apply(ROWS, KEYS),
        ):
            assert sum(a == b for a, b in zip(first[role], other[role], strict=True)) <= 1


def test_what_else_is_in_the_batch_and_its_order_change_nothing():
    method = augmentation(**NOISE)
    whole = method.apply(ROWS, KEYS)
    alone = [method.apply({"text": [ROWS["text"][at]]}, [KEYS[at]])["text"][0] for at in range(8)]
    turned = method.apply({role: values[::-1] for role, values in ROWS.items()}, KEYS[::-1])
    assert whole["text"] == alone
    assert {role: values[::-1] for role, values in turned.items()} == whole


def test_no_one_elses_random_numbers_are_touched():
    before = np.random.get_state()[1].copy(), random.getstate()
    augmentation(**NOISE).apply(ROWS, KEYS)
    assert np.array_equal(before[0], np.random.get_state()[1])
    assert before[1] == random.getstate()


def test_a_missing_or_empty_text_stays_so():
    rows = {"text": ["", "a b"], "text_pair": [None, "  "]}
    found = augmentation(deletion=1, keyboard=1, case=1, swap=1).apply(rows, KEYS[:2])
    assert found["text"][0] == ""
    assert len(found["text"][1].split()) == 1
    assert found["text_pair"] == [None, "  "]


def test_nothing_set_is_not_active():
    assert not augmentation().active
    assert not augmentation(mixup=0.2, mix_probability=0).active
    mixing = augmentation(mixup=0.2)
    assert (mixing.active, mixing.mixes) == (True, "embeddings")
    assert mixing.apply(ROWS, KEYS) is ROWS
    assert all(mix.box is None and mix.partner != key.row for mix, key in zip(mixing.mix(KEYS, 8), KEYS, strict=True))


def test_a_word_list_with_colons_tabs_commas_and_remarks(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text(
        "\ufeff# mine\nGood: fine, Good, nice\nfilm\tmovie\tmotion picture\n\nbad,poor\ngood: great\n", encoding="utf-8"
    )
    method = augmentation(synonyms=str(file), synonym=1)
    assert method.known == {"good": ("fine", "nice", "great"), "film": ("movie", "motion picture"), "bad": ("poor",)}
    assert method.active
    assert method.apply({"text": ["a bad plot"]}, KEYS[:1])["text"] == ["a poor plot"]
    assert synonym_problems(file) == []


def test_every_mistake_of_a_word_list_is_told_with_its_line(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("good: fine\nvery bad: poor\nfilm\nplot: plot\n: empty\n")
    with pytest.raises(ConfigurationError) as told:
        augmentation(synonyms=str(file))
    places = [problem.place for problem in told.value.problems]
    assert places == [f"{file}:{line}" for line in (2, 3, 4, 5)]
    assert "no single word" in str(told.value)
    assert "no synonym of 'film'" in str(told.value)


def test_a_list_in_json_is_refused_with_the_form_that_is_right(tmp_path):
    file = tmp_path / "words.json"
    file.write_text('{"good": ["fine"],\n"bad": ["poor"]}')
    (first, second) = synonym_problems(file)
    assert (first.place, second.place) == (f"{file}:1", f"{file}:2")
    assert first.message == (
        "holds {, which no word has; the list is plain text, not JSON: a line is `word: synonym, another synonym`"
    )
    file.write_text("good: [fine]\n" * 50)
    told = synonym_problems(file)
    assert (len(told), told[-1].message) == (21, "and 30 more lines that are wrong")


def test_a_word_list_that_is_not_there_empty_or_no_text(tmp_path):
    (tmp_path / "empty.txt").write_text("# nothing\n")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    for name, said in {"none.txt": "No such file", "empty.txt": "holds no word", "binary.txt": "not UTF-8"}.items():
        (problem,) = synonym_problems(tmp_path / name)
        assert said in problem.message
        assert problem.key == "augmentation.synonyms"


def test_settings_that_cannot_be_used_are_refused():
    with pytest.raises(ValidationError, match="name it in augmentation.synonyms"):
        text.Options(synonym=0.2)
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        text.Options(deletion=1.1)
    with pytest.raises(ValidationError, match="'qwerty', 'qwertz' or 'azerty'"):
        text.Options(layout="dvorak")
