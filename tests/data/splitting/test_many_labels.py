"""Iterative stratification keeps every label's share, the rare ones' too."""

from __future__ import annotations

import numpy as np
import pytest
from datasets import Dataset, DatasetDict

from tunebook.config.data_groups import SplitConfig
from tunebook.data.labels.base import LabelColumn
from tunebook.data.labels.multi_label import MultiLabel
from tunebook.data.splitting import carve
from tunebook.data.splitting.iterative import stratified

LABEL = LabelColumn(MultiLabel(), "label")


def drawn(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    labels = (rng.random((count, 8)) < np.array([0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01])).astype(np.int8)
    labels[:, 7] |= labels[:, 6] & (rng.random(count) < 0.5)
    return labels


@pytest.mark.parametrize("sizes", [[800, 200], [334, 333, 333], [999, 1], [0, 1000]])
def test_sizes_are_kept(sizes):
    parts = stratified(drawn(1000), sizes, seed=1)
    assert np.bincount(parts, minlength=len(sizes)).tolist() == sizes


def test_labels_keep_their_shares():
    labels = drawn(1000)
    parts = stratified(labels, [800, 200], seed=1)
    share = labels.sum(axis=0) / 5
    held = labels[parts == 1].sum(axis=0)
    assert (np.abs(held - share) <= 1.5).all()
    by_chance = [
        np.abs(labels[np.random.default_rng(s).permutation(1000)[:200]].sum(axis=0) - share) for s in range(20)
    ]
    assert np.abs(held - share).sum() < 0.3 * np.mean(by_chance, axis=0).sum()


def test_the_seed_decides():
    labels = drawn(200)
    np.testing.assert_array_equal(stratified(labels, [150, 50], 3), stratified(labels, [150, 50], 3))
    assert (stratified(labels, [150, 50], 3) != stratified(labels, [150, 50], 4)).any()


def test_carved_and_folded():
    labels = drawn(300)
    train = Dataset.from_dict({"row": list(range(300)), "label": labels.tolist()})
    splits = carve(DatasetDict(train=train), SplitConfig(validation=0.2, test=0.1), LABEL)
    assert splits.num_rows == {"train": 210, "validation": 60, "test": 30}
    held = []
    for fold in range(4):
        part = carve(DatasetDict(train=train), SplitConfig(k_fold=4, fold=fold), LABEL)["validation"]
        held += part["row"][:]
        assert (np.abs(np.sum(part["label"][:], axis=0) - labels.sum(axis=0) / 4) <= 2).all()
    assert sorted(held) == list(range(300))
