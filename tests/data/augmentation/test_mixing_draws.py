"""Whom a row is mixed with, and what comes of two images."""

import numpy as np
import torch

from tunebook.data.augmentation._mixing import blended, draw
from tunebook.data.augmentation.base import VARYING, Mix, generator
from tunebook.data.row_key import RowKey


def test_partners_follow_from_the_key_and_are_never_the_row_itself():
    keys = [RowKey(row, epoch) for epoch in range(3) for row in range(50)]
    mixes = [draw(key, 7, 50, 0.2, None, 1.0) for key in keys]
    assert mixes == [draw(key, 7, 50, 0.2, None, 1.0) for key in keys]
    assert all(mix.partner != key.row for mix, key in zip(mixes, keys, strict=True))
    assert len({mix.partner for mix in mixes}) > 40
    assert len({mix.share for mix in mixes}) > 100
    assert mixes[:50] != mixes[50:100]
    assert draw(RowKey(3, 0, 1), 7, 50, 0.2, None, 1.0) != draw(RowKey(3), 7, 50, 0.2, None, 1.0)


def test_every_row_of_all_is_as_likely():
    partners = [draw(RowKey(2, epoch), 0, 4, 1.0, None, 1.0).partner for epoch in range(600)]
    assert all(150 < partners.count(row) < 250 for row in (0, 1, 3))
    assert partners.count(2) == 0


def test_the_share_of_the_rows_that_are_mixed_and_of_each_way():
    mixes = [draw(RowKey(row), 0, 1000, 0.2, 1.0, 0.5) for row in range(1000)]
    cut, plain = sum(bool(mix and mix.box) for mix in mixes), sum(bool(mix and not mix.box) for mix in mixes)
    assert 200 < cut < 300
    assert 200 < plain < 300


def test_nothing_is_mixed_without_an_alpha_or_another_row():
    assert draw(RowKey(0), 0, 10, None, None, 1.0) is None
    assert draw(RowKey(0), 0, 1, 0.2, None, 1.0) is None
    assert draw(RowKey(0), 0, 10, 0.2, None, 0.0) is None


def test_a_row_varies_alike_whether_it_is_mixed_or_not():
    before = generator(RowKey(4), 1, VARYING).random(3)
    draw(RowKey(4), 1, 10, 0.2, None, 1.0)
    assert np.array_equal(before, generator(RowKey(4), 1).random(3))


def test_mixup_is_the_weighted_sum():
    own, other = torch.ones(3, 2, 2), torch.full((3, 2, 2), 5.0)
    mixed, share = blended(own, other, Mix(1, 0.75))
    assert share == 0.75
    assert torch.equal(mixed, torch.full((3, 2, 2), 2.0))


def test_the_share_of_cutmix_is_the_area_that_was_not_pasted_over():
    own, other = torch.zeros(3, 10, 8), torch.ones(3, 10, 8)
    for row in range(200):
        mix = draw(RowKey(row), 0, 500, None, 1.0, 1.0)
        mixed, share = blended(own, other, mix)
        assert set(mixed.unique().tolist()) <= {0.0, 1.0}
        assert abs((1 - share) - float(mixed.mean())) < 1e-6
    assert own.sum() == 0
    mixed, share = blended(own, other, Mix(1, 0.5, (0.0, 0.25, 0.5, 1.0)))
    assert (share, int(mixed.sum())) == (1 - 30 / 80, 3 * 30)
    assert mixed[:, :5, 2:].min() == 1


def test_boxes_lie_anywhere_and_shares_are_spread():
    mixes = [draw(RowKey(row), 0, 500, None, 1.0, 1.0) for row in range(300)]
    shares = [blended(np.zeros((1, 32, 32)), np.ones((1, 32, 32)), mix)[1] for mix in mixes]
    assert min(shares) < 0.2
    assert max(shares) > 0.95
    assert all(
        0 <= top <= bottom <= 1 and 0 <= left <= right <= 1 for top, left, bottom, right in (m.box for m in mixes)
    )
    assert min(mix.box[0] for mix in mixes) == 0
    assert max(mix.box[2] for mix in mixes) == 1
