"""A few training rows before and after an augmentation, as `scripts/audit.py` shows them. Knows prepared data only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tunebook.data.augmentation import _words, paraphrase, text
from tunebook.data.augmentation._mixing import blended
from tunebook.data.augmentation.base import Augmentation, Mix
from tunebook.data.columns import ROW
from tunebook.data.row_key import RowKey

if TYPE_CHECKING:
    from datasets import Dataset
    from PIL.Image import Image

    from tunebook.data.prepare import PreparedData

Shown = tuple[dict[str, Any], list[dict[str, Any]], int]


def preview(data: PreparedData, augmentation: Augmentation, seed: int, count: int = 5, copies: int = 3) -> list[Shown]:
    """Rows before and after, exactly as a run with this seed varies them in its first epochs.

    Args:
        data: prepared; for paraphrases, before they are added.
        augmentation: built with the seed of the run.
        seed: which rows are shown.
        count: rows at most.
        copies: epochs of each.

    Returns:
        For each row: it (role columns; `label` in words), its versions (where it is mixed with another row, with
        `mixed` in words; images are mixed, of texts the partner's is in `mixed_text`), and its `row` number.
        Empty where the augmentation changes nothing.
    """
    train = data.splits["train"]
    if isinstance(augmentation, paraphrase.Augmentation):
        return _paraphrased(data, augmentation.options, count, copies)
    if not augmentation.active:
        return []
    shown = []
    for position in sorted(np.random.default_rng(seed).permutation(len(train))[:count].tolist()):
        after = [_after(data, augmentation, RowKey(position, epoch)) for epoch in range(copies)]
        shown.append((_described(data, train[position]), after, train[position][ROW]))
    return shown


def idle(data: PreparedData, augmentation: Augmentation) -> str:
    """What of an augmentation does nothing with these rows, as a sentence; "" where nothing is wrong."""
    known = augmentation.known if isinstance(augmentation, text.Augmentation) else {}
    train = data.splits["train"]
    texts = (one for role in ("text", "text_pair") if role in train.column_names for one in train[role])
    if not known or any(_words.any_known(_words.split(one)[0], known) for one in texts if one):
        return ""
    some = ", ".join(list(known)[:5]) + (", …" if len(known) > 5 else "")
    count = f"any of the {len(known):,} words" if len(known) > 1 else "the one word"
    return f"augmentation.synonyms: no training row has {count} of the list ({some}); no synonym is put in"


def _after(data: PreparedData, augmentation: Augmentation, key: RowKey) -> dict[str, Any]:
    train = data.splits["train"]
    shown = _described(data, _varied(train, augmentation, key))
    mix = augmentation.mix([key], len(train))[0] if augmentation.mixes else None
    if mix is None:
        return shown
    other, share = _described(data, _varied(train, augmentation, RowKey(mix.partner, key.epoch))), mix.share
    if augmentation.mixes == "pixels":
        shown["image"], share = _mixed(shown["image"], other["image"], mix)
    else:
        shown["mixed_text"] = other["text"]
    way = "a part pasted from" if mix.box else "mixed with"
    shown["mixed"] = f"{way} row {train[mix.partner][ROW]} ({other['label']}): {1 - share:.0%} of it"
    return shown


def _varied(train: Dataset, augmentation: Augmentation, key: RowKey) -> dict[str, Any]:
    columns = augmentation.apply(train[[key.row]], [key])
    return {name: values[0] for name, values in columns.items()}


def _mixed(own: Image, other: Image, mix: Mix) -> tuple[Image, float]:
    """Mixed before the processor, at the row's own size; the run mixes what the processor makes of both."""
    from PIL import Image

    first, second = (
        np.asarray(image.convert("RGB").resize(own.size), dtype=np.float64).transpose(2, 0, 1) for image in (own, other)
    )
    pixels, share = blended(first, second, mix)
    return Image.fromarray(pixels.round().astype(np.uint8).transpose(1, 2, 0)), share


def _paraphrased(data: PreparedData, options: paraphrase.Options, count: int, copies: int) -> list[Shown]:
    train = paraphrase.add_rows(data, options).splits["train"]
    numbers = list(train[ROW])
    versions: dict[int, list[dict[str, Any]]] = {}
    for at, origin in enumerate(train[paraphrase.ORIGIN]):
        if origin != "source":
            versions.setdefault(numbers[at], []).append(_described(data, train[at]))
    shown = list(versions.items())[:count]
    return [(_described(data, train[numbers.index(row)]), versions_[:copies], row) for row, versions_ in shown]


def _described(data: PreparedData, row: dict[str, Any]) -> dict[str, Any]:
    """The columns of a row but for its number, with its label in words; "" where there are no labels."""
    shown = {name: value for name, value in row.items() if name != ROW}
    label = data.label.type.describe(shown.pop(data.label.role), data.targets.names) if data.label else ""
    return {**shown, "label": label}
