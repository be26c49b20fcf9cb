"""Schemes of tags: which one it is, and what it becomes in IOB2."""

from __future__ import annotations

import pytest

from tunebook.data.labels.tag_schemes import Entity, detect, entities, split_tag, tag_names, to_iob2


def words(text: str) -> list[str]:
    return text.split()


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("O", ("O", "")),
        ("B-PER", ("B", "PER")),
        ("I-creative-work", ("I", "creative-work")),
        ("NOUN", ("", "NOUN")),
        ("X-PER", ("", "X-PER")),
        ("B-", ("", "B-")),
    ],
)
def test_a_tag_is_a_prefix_and_a_type(tag, expected):
    assert split_tag(tag) == expected


@pytest.mark.parametrize(
    ("rows", "scheme"),
    [
        (["O B-PER I-PER O", "B-LOC"], "iob2"),
        (["O I-PER I-PER O", "I-LOC B-LOC"], "iob1"),
        (["I-PER O B-LOC"], "iob2"),  # one of them is wrong: B- begins one where IOB1 has no B-
        (["B-PER L-PER U-LOC"], "bilou"),
        (["B-PER E-PER O S-LOC"], "bilou"),
        (["DET NOUN VERB"], "none"),
        (["O O", "O"], "none"),
    ],
)
def test_the_scheme_is_detected(rows, scheme):
    assert detect(map(words, rows)) == scheme


@pytest.mark.parametrize(
    ("tags", "scheme", "expected", "wrong"),
    [
        ("O B-A I-A O", "iob2", "O B-A I-A O", []),
        ("O I-A I-A B-A I-B", "iob2", "O B-A I-A B-A B-B", [1, 4]),
        ("I-A I-A B-A I-B O I-B", "iob1", "B-A I-A B-A B-B O B-B", []),
        ("B-A I-A L-A U-B O", "bilou", "B-A I-A I-A B-B O", []),
        ("B-A E-A S-A S-A", "bilou", "B-A I-A B-A B-A", []),
        ("B-A O I-A L-B B-B", "bilou", "B-A O B-A B-B B-B", [0, 2, 3, 4]),
        ("L-A L-A", "bilou", "B-A B-A", [0, 1]),
        ("NOUN I-x", "none", "NOUN I-x", []),
    ],
)
def test_tags_become_iob2_and_breaches_are_reported(tags, scheme, expected, wrong):
    assert to_iob2(words(tags), scheme) == (words(expected), wrong)


def test_entities_are_those_of_seqeval():
    seqeval = pytest.importorskip("seqeval.metrics.sequence_labeling")
    import numpy as np

    random = np.random.default_rng(0)
    for _ in range(200):
        tags = random.choice(["O", "B-A", "I-A", "B-B", "I-B"], size=12).tolist()
        theirs = [Entity(kind, start, end + 1) for kind, start, end in seqeval.get_entities(tags)]
        assert entities(tags) == theirs


def test_outside_has_id_0_and_types_follow_in_their_order():
    assert tag_names(["LOC", "PER"]) == ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
