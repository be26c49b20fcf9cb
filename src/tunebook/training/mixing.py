"""Two training rows as one: pixels after encoding, or token embeddings inside of the model. Knows encoded rows.

For embeddings (Guo et al. 2019) a row carries its partner along; `Paired` collates both to one width, and
`mixed_embeddings` blends what the model's token embedding gives while the training forward runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from tunebook.data.augmentation._mixing import blended
from tunebook.data.augmentation.base import Mix, Mixed
from tunebook.errors import DataError, ModelError, Problem

PARTNER, SHARE = "partner", "share"
_WHOLE = Mix(0, 1.0)


def mixed(row: dict[str, Any], other: dict[str, Any] | None, mix: Mix | None, where: Mixed) -> dict[str, Any]:
    """One encoded row, mixed with another; without `mix` it stays, with its label in the same form as the others'.

    Returns:
        The row with `labels` as shares of each class (classes,), and its `row` number as it was; for embeddings
        with `partner` and `share` for `Paired`.
    """
    mix = mix or _WHOLE
    other = row if other is None else other
    share = mix.share
    if where == "pixels":
        own, theirs = row["pixel_values"], other["pixel_values"]
        if own.shape != theirs.shape:
            message = f"has no fixed size, {tuple(own.shape)} and {tuple(theirs.shape)}: set size in model.processor"
            raise DataError(Problem("model.processor", f"{message}; images can be mixed at one size only"))
        pixels, share = blended(own, theirs, mix)
        return {**row, "pixel_values": pixels, "labels": _labels(row, other, share)}
    labels = _labels(row, other, share)
    # The longer text is the one that the model gets: positions, mask and the last token, which some models
    # work out from the token ids, are then right for both. The sum is the same.
    if len(other["input_ids"]) > len(row["input_ids"]):
        return {**other, "labels": labels, "row": row["row"], PARTNER: row, SHARE: 1 - share}
    return {**row, "labels": labels, PARTNER: other, SHARE: share}


def _labels(row: dict[str, Any], other: dict[str, Any], share: float) -> list[float] | float:
    own, others = row["labels"], other["labels"]
    if isinstance(own, list):
        return [share * a + (1 - share) * b for a, b in zip(own, others, strict=True)]
    return float(share * own + (1 - share) * others)


class Paired:
    """A collator of rows that carry a partner: the task's, once over rows and partners, so that both have one width."""

    def __init__(self, collate: Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]]) -> None:
        self.collate = collate

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """The batch of the rows; with `partner` (ids), `partner_mask` and `share` where they carry one."""
        if not rows or PARTNER not in rows[0]:
            return self.collate(rows)
        # A partner needs what each row of a batch has; none of it stays.
        partners = [{**row[PARTNER], "labels": row["labels"], "weight": row.get("weight", 1.0)} for row in rows]
        own = [{key: value for key, value in row.items() if key not in {PARTNER, SHARE}} for row in rows]
        both = self.collate([*own, *partners])
        batch = {name: values[: len(rows)] for name, values in both.items()}
        batch[PARTNER] = both["input_ids"][len(rows) :]
        batch[f"{PARTNER}_mask"] = both["attention_mask"][len(rows) :]
        batch[SHARE] = torch.tensor([row[SHARE] for row in rows], dtype=torch.float32)
        return batch


def taken_from(inputs: dict[str, Any]) -> tuple[torch.Tensor, ...] | None:
    """The partner's ids and mask and the shares, taken out of a batch; None where rows are not mixed."""
    mixed_with = tuple(inputs.pop(name) for name in (PARTNER, f"{PARTNER}_mask", SHARE) if name in inputs)
    return mixed_with or None


@contextlib.contextmanager
def mixed_embeddings(model: nn.Module, partner: tuple[torch.Tensor, ...] | None) -> Iterator[None]:
    """Within, the model's token embedding gives share × its own + (1 − share) × the partner's; gradients reach both.

    Where the partner has no token it adds nothing, as with padding of zeros in the paper.

    Raises:
        ModelError: the model does not read its tokens through its token embedding once.
    """
    if partner is None:
        yield
        return
    ids, mask, share = partner
    calls = 0

    def blend(module: nn.Module, inputs: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        # forward, not a call: that would come back here.
        theirs = module.forward(ids) * mask[..., None]
        part = share[:, None, None]
        return (part * output + (1 - part) * theirs).to(output.dtype)

    handle = model.get_input_embeddings().register_forward_hook(blend)  # type: ignore[operator]
    try:
        yield
    finally:
        handle.remove()
    if calls != 1 or getattr(model.config, "is_encoder_decoder", False):
        message = (
            f"{type(model).__name__} does not read a text through one token embedding, so that texts cannot be mixed "
            "in it; set augmentation.mixup to null"
        )
        raise ModelError(Problem("augmentation.mixup", message))
