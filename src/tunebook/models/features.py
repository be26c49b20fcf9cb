"""One feature vector per row, from a model without its head. Knows no task, no label and no file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import nn
from tqdm.auto import tqdm
from transformers import PreTrainedModel

from tunebook.errors import ModelError, Problem
from tunebook.models.train_mode import eval_mode

NOT_INPUTS = {"labels", "row", "weight"}
"""Entries of a batch that are no inputs of the model."""

MANY = 1000
"""Rows from which on a progress bar is worth its lines."""

Collate = Callable[[list[dict[str, Any]]], Mapping[str, torch.Tensor]]
"""Encoded rows -> a batch of tensors."""


def features(
    model: PreTrainedModel,
    rows: Dataset,
    collate: Collate,
    device: torch.device | str = "cpu",
    batch_size: int = 64,
) -> np.ndarray:
    """One vector per row, from the model without its head, in evaluation mode.

    Texts: the mean of the last hidden states over the tokens of the attention mask. Images: the model's
    own pooled output where it has one, else the mean over places. The model, its mode, its device and the random
    state stay as they were.

    Args:
        model: with or without a head.
        rows: encoded; a column `length` puts rows of like length into one batch, which saves padding.
        collate: joins encoded rows into a batch of tensors.
        device: that computes.
        batch_size: rows at once; it changes the last digits only.

    Returns:
        (rows, dims), float32, in the order of `rows`.

    Raises:
        ModelError: the model has neither hidden states nor a pooled output.
    """
    order = np.arange(len(rows))
    if "length" in rows.column_names:  # the longest first, to run out of memory early
        order = np.argsort(np.asarray(rows["length"]), kind="stable")[::-1]
    vectors: list[np.ndarray] = []
    bar = tqdm(total=len(rows), desc="Features", unit=" rows", disable=len(rows) <= MANY or None)
    with _eval_on(model, torch.device(device)), bar:
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size].tolist()
            batch = inputs_of(rows.__getitems__(chosen), collate, device)
            vectors.append(_pooled(model.base_model, batch).float().cpu().numpy())
            bar.update(len(chosen))
    return np.concatenate(vectors)[np.argsort(order)]


def inputs_of(rows: list[dict[str, Any]], collate: Collate, device: torch.device | str) -> dict[str, torch.Tensor]:
    """The model's inputs for encoded rows."""
    return {name: values.to(device) for name, values in collate(rows).items() if name not in NOT_INPUTS}


@contextlib.contextmanager
def _eval_on(model: nn.Module, device: torch.device) -> Iterator[None]:
    """In evaluation mode on a device, without gradients; afterwards as before."""
    home = next(model.parameters()).device
    # The run must not depend on whether features were computed.
    random = torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
    try:
        with torch.no_grad(), random, eval_mode(model):
            model.to(device)
            yield
    finally:
        model.to(home)


def _pooled(backbone: nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    output = backbone(**batch)
    hidden, pooled = output.get("last_hidden_state"), output.get("pooler_output")
    if "input_ids" in batch and hidden is not None:
        # A text model's pooler, where it has one, is a layer of its pre-training task or a new one.
        mask = batch.get("attention_mask", torch.ones_like(batch["input_ids"]))[..., None].to(hidden.dtype)
        return (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
    if pooled is not None:
        return pooled.flatten(1)
    if hidden is not None:
        return hidden.mean(1) if hidden.dim() == 3 else hidden.flatten(2).mean(2)
    message = f"{type(backbone).__name__} has neither hidden states nor a pooled output, so there are no features"
    raise ModelError(Problem("model", message))
