"""One label at a time: names, positions, aliases, several labels, numbers, and what is refused."""

import pytest

from tunebook.data.streaming.label_codes import LabelCodes, UnknownLabel, is_missing


def test_names_come_before_positions():
    codes = LabelCodes("class", ["bad", "good"], "key")
    assert [codes.code(value) for value in ("good", "bad", "1", 0, 1.0, " 1", True, False)] == [
        1, 0, 1, 0, 1, 1, 1, 0,
    ]  # fmt: skip
    assert codes.names == ["bad", "good"]


def test_numerals_as_names_are_never_positions():
    codes = LabelCodes("class", ["1", "2", "3"], "key")
    assert [codes.code(value) for value in ("1", 3, 2.0)] == [0, 2, 1]
    with pytest.raises(UnknownLabel, match="label '0', which dataset.labels does not name"):
        codes.code("0")


@pytest.mark.parametrize("value", ["god", 2, -1, 0.5, "2", " good"])
def test_a_label_without_a_name_is_refused(value):
    with pytest.raises(UnknownLabel, match="does not name"):
        LabelCodes("class", ["bad", "good"], "key").code(value)


def test_the_nearest_name_is_told():
    with pytest.raises(UnknownLabel, match="did you mean good"):
        LabelCodes("class", ["bad", "good"], "key").code("god")


def test_aliases_to_names_and_to_ids():
    stars = LabelCodes("class", {"1": "negative", "2": "negative", "5": "positive"}, "key")
    assert stars.names == ["negative", "positive"]
    assert [stars.code(value) for value in (1, "2", 5)] == [0, 0, 1]
    ids = LabelCodes("class", {"pos": 1, "neg": 0}, "key")
    assert ids.names == ["neg", "pos"]
    assert [ids.code(value) for value in ("pos", "neg")] == [1, 0]


def test_the_sources_own_names_give_its_numbers_their_meaning():
    assert LabelCodes("class", None, "key", own=["neg", "pos"]).code(1) == 1
    turned = LabelCodes("class", ["pos", "neg"], "key", own=["neg", "pos"])
    assert [turned.code(value) for value in (0, 1)] == [1, 0]


def test_several_labels_in_a_list_or_one_text():
    codes = LabelCodes("classes", ["a", "b", "c"], "key", separator="|")
    assert codes.code("c| a") == [1, 0, 1]
    assert codes.code(["b"]) == [0, 1, 0]
    assert codes.code([]) == [0, 0, 0]
    with pytest.raises(UnknownLabel, match="'d'"):
        codes.code("a|d")


def test_numbers():
    codes = LabelCodes("number", None, "key")
    assert [codes.code(value) for value in ("1.5", 2, "-3e2")] == [1.5, 2.0, -300.0]
    for value in ("many", True, "1_000", "inf", [1.0]):
        with pytest.raises(UnknownLabel, match="which is no finite number"):
            codes.code(value)


def test_several_labels_as_marks_and_in_columns_of_their_own():
    codes = LabelCodes("classes", ["a", "b", "c"], "key")
    assert codes.code([0, 1, 1]) == [0, 1, 1]
    assert codes.code([0, 2]) == [1, 0, 1]  # ids
    with pytest.raises(UnknownLabel, match="give dataset.label_separator"):
        codes.code("a")
    with pytest.raises(UnknownLabel, match="are these two ids, or a 0 and a 1"):
        LabelCodes("classes", ["a", "b"], "key").code([1, 0])
    columns = LabelCodes("classes", ["cold", "warm"], "key", own=["warm", "cold"])
    assert columns.names == ["cold", "warm"]
    assert columns.code_columns(["1", False], ["warm", "cold"]) == [0, 1]
    with pytest.raises(UnknownLabel, match="holds nothing in the column 'cold'"):
        columns.code_columns([1, None], ["warm", "cold"])


def test_a_row_of_several_labels_may_have_none():
    assert not LabelCodes("classes", ["a", "b"], "key", separator=",").lacks(None)
    assert LabelCodes("classes", ["a", "b"], "key").lacks(None)
    assert not LabelCodes("classes", ["a", "b"], "key").lacks([])
    assert LabelCodes("class", ["a", "b"], "key").lacks(" ")


def test_what_counts_as_missing():
    assert all(map(is_missing, [None, "", "  ", "nan", "NaN", float("nan")]))
    assert not any(map(is_missing, ["0", 0, False, "none", []]))
