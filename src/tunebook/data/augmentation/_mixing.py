"""Which row a row is mixed with, and how two images become one. Knows row keys and arrays, nothing of models."""

from __future__ import annotations

from typing import Any

from tunebook.data.augmentation.base import MIXING, Mix, generator
from tunebook.data.row_key import RowKey


def draw(
    key: RowKey, seed: int, rows: int, mixup: float | None, cutmix: float | None, probability: float
) -> Mix | None:
    """The mix of one row: MixUp (Zhang et al. 2018) or CutMix (Yun et al. 2019).

    The partner is any of the `rows` training rows, chosen by the row's own random numbers. Chosen from the micro-batch,
    as usual, it would change with the batch size, the number of ranks and after a resume. `mixup` and `cutmix` are
    alphas of the Beta distribution of the share, None is without; with both, each has half of the mixed rows.
    """
    alphas = [alpha for alpha in (mixup, cutmix) if alpha is not None]
    if rows < 2 or not alphas:
        return None
    numbers = generator(key, seed, MIXING)
    # All numbers are taken in any case, so that one setting does not change the numbers of the others.
    wanted, pick, top, left = numbers.random(4)
    partner = int(numbers.integers(rows - 1))
    partner += partner >= key.row  # never the row itself
    if wanted >= probability:
        return None
    cut = mixup is None or (cutmix is not None and pick < 0.5)
    alpha = alphas[-1] if cut else alphas[0]
    share = float(numbers.beta(alpha, alpha))
    if not cut:
        return Mix(partner, share)
    # A box of area 1 - share around a centre anywhere; what is outside the image is cut off.
    half, top, left = (1 - share) ** 0.5 / 2, float(top), float(left)
    box = (max(top - half, 0.0), max(left - half, 0.0), min(top + half, 1.0), min(left + half, 1.0))
    return Mix(partner, share, box)


def blended(own: Any, other: Any, mix: Mix) -> tuple[Any, float]:
    """Two images as one, and the share of the first in it; with a box, of the pixels that are really the first's.

    Args:
        own: (…, height, width), an array or a tensor of floats; not changed.
        other: the partner's, of the same shape.
        mix: how.
    """
    if mix.box is None:
        return own * mix.share + other * (1 - mix.share), mix.share
    height, width = own.shape[-2:]
    top, left = round(mix.box[0] * height), round(mix.box[1] * width)
    bottom, right = round(mix.box[2] * height), round(mix.box[3] * width)
    together = own + 0.0  # a copy, of an array as of a tensor
    together[..., top:bottom, left:right] = other[..., top:bottom, left:right]
    return together, 1 - (bottom - top) * (right - left) / (height * width)
