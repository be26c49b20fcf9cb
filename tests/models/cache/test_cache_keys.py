"""An entry's name changes with all that its states follow from, and with nothing else."""

import copy

import datasets
import pytest
import torch

from tunebook.models.cache.cache_keys import backbone_key, split_key

ABOUT = {"arithmetic": "None"}


@pytest.fixture
def half(case):
    made = case("bert", "half")
    return made, made.proved()[0]


def test_weights_in_front_count_and_those_behind_do_not(half):
    made, boundary = half
    key = backbone_key(made.model, boundary, made.ever, ABOUT)
    behind, front, buffer = (copy.deepcopy(made.model) for _ in range(3))
    with torch.no_grad():
        behind.bert.encoder.layer[2].output.dense.weight[0, 0] += 1e-6
        front.bert.encoder.layer[1].output.dense.weight[0, 0] += 1e-6
        buffer.bert.embeddings.position_ids[0, 0] += 1
    assert backbone_key(behind, boundary, made.ever, ABOUT) == key
    assert backbone_key(front, boundary, made.ever, ABOUT) != key
    assert backbone_key(buffer, boundary, made.ever, ABOUT) != key


def test_settings_of_the_backbone_count_and_labels_do_not(half):
    made, boundary = half
    key = backbone_key(made.model, boundary, made.ever, ABOUT)
    made.model.config.id2label = {0: "x", 1: "y", 2: "z"}
    assert backbone_key(made.model, boundary, made.ever, ABOUT) == key
    assert backbone_key(made.model, boundary, made.ever, {"arithmetic": "bfloat16"}) != key
    made.model.config.hidden_act = "relu"
    assert backbone_key(made.model, boundary, made.ever, ABOUT) != key


def test_the_depth_counts(case):
    half, head = case("bert", "half"), case("bert", "head")
    assert all(map(torch.equal, half.model.parameters(), head.model.parameters()))
    keys = {backbone_key(made.model, made.proved()[0], made.ever, ABOUT) for made in (half, head)}
    assert len(keys) == 2


def encoded(rows, **columns):
    return datasets.Dataset.from_dict(
        {"input_ids": rows, "attention_mask": [[1] * len(row) for row in rows], **columns}
    )


def test_inputs_count_and_labels_do_not():
    names = ["input_ids", "attention_mask"]
    rows = [[5, 6, 7], [8], [9, 10]]
    key = split_key("t", encoded(rows, labels=[0, 1, 0]), names, None)
    assert len(key) == 32
    assert split_key("t", encoded(rows, labels=[1, 1, 0]), names, None) == key
    assert split_key("u", encoded(rows, labels=[0, 1, 0]), names, None) != key
    for other in ([[5, 6], [7, 8], [9, 10]], [[8], [5, 6, 7], [9, 10]], [[5, 6, 7], [8], [9, 11]], rows[:2]):
        assert split_key("t", encoded(other), names, None) != key


def test_the_pieces_that_rows_lie_in_do_not_count():
    names = ["input_ids", "attention_mask"]
    rows = [[at, at + 1, at + 2][: 1 + at % 3] for at in range(40)]
    whole = encoded(rows)
    pieces = datasets.concatenate_datasets([encoded(rows[:7]), encoded(rows[7:])])
    picked = datasets.concatenate_datasets([encoded(rows), encoded(rows)]).select(range(40))
    assert (
        split_key("t", whole, names, None) == split_key("t", pieces, names, None) == split_key("t", picked, names, None)
    )
