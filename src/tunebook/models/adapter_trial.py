"""Tries once whether a model can read what an adapter puts at its input: not every architecture can, and some answer
wrongly without a word. Knows nothing of methods or of peft."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from tunebook.errors import ModelError, Problem
from tunebook.models.depth import backbone_settings
from tunebook.models.modes import in_eval

SHORT, SHORTER = 8, 5
IMAGE_SIZE = 64
"""For networks that take any size."""
# What architectures raise that were never meant for it.
REFUSED = (ValueError, TypeError, RuntimeError, LookupError, AttributeError)
ABLE = {
    "prompt": "encoders (BERT, RoBERTa, DistilBERT, ELECTRA, DeBERTa, ModernBERT)",
    "prefix": "BERT, RoBERTa, ELECTRA and decoders (GPT-2, Llama, Qwen)",
}


def require_it_runs(
    adapted: nn.Module, plain: PreTrainedModel, method: str, longest: int | None, at_input: bool
) -> None:
    """Runs the smallest input; where the adapter reads with the text, also padded, and at the greatest length.

    Decoders take the answer from the last token, which they find by the padding of the token ids; a prompt hands them
    embeddings instead, and then they read the padding, so that the answer depends on the batch.

    Args:
        adapted: with the adapter.
        plain: the model that it wraps.
        method: name of the adapter method.
        longest: text in tokens; None: unknown.
        at_input: whether the method stands at the input.

    Raises:
        ModelError: the model cannot run, its answer depends on padding, or it has too few positions.
    """
    what = f"a {backbone_settings(plain).model_type} model"
    able = f"; it works in {ABLE[method]}" if method in ABLE else ""
    instead = "; use adapter=lora" if at_input else "; set adapter=none"
    with _still(adapted, plain):
        try:
            if plain.main_input_name == "input_ids":
                apart = _apart(adapted, plain) if at_input else _runs(adapted, _text(plain, SHORT)[None])
            else:
                adapted(_image(plain))
                return
        except REFUSED as error:
            message = f"{method} does not run in {what} ({_first_line(error)}){able}{instead}"
            raise ModelError(Problem("adapter.method", message)) from error
        if apart > _tolerance(plain):
            message = f"with {method} the answers of {what} depend on how a text is padded{able}{instead}"
            raise ModelError(Problem("adapter.method", message))
        if at_input and longest is not None:
            try:
                _runs(adapted, _text(plain, longest)[None])
            except REFUSED as error:
                message = (
                    f"{longest} tokens and the adapter's virtual ones are more than {what} has positions for; lower "
                    "task.max_length or adapter.num_virtual_tokens"
                )
                raise ModelError(Problem("task.max_length", message)) from error


def _runs(adapted: nn.Module, ids: torch.Tensor) -> float:
    adapted(input_ids=ids, attention_mask=torch.ones_like(ids))
    return 0.0


def _image(plain: PreTrainedModel) -> torch.Tensor:
    settings = backbone_settings(plain)
    size = getattr(settings, "image_size", None) or IMAGE_SIZE
    height, width = size if isinstance(size, list | tuple) else (size, size)
    return torch.zeros(1, getattr(settings, "num_channels", 3), height, width, device=plain.device, dtype=plain.dtype)


def _apart(adapted: nn.Module, plain: PreTrainedModel) -> float:
    """How far a text's logits are off when it is padded, as a share of their size."""
    long, short = _text(plain, SHORT), _text(plain, SHORTER)
    alone = adapted(input_ids=short[None], attention_mask=torch.ones_like(short)[None])["logits"][0]
    padding = torch.full((SHORT - SHORTER,), plain.config.pad_token_id or 0, device=short.device)
    ids = torch.stack([long, torch.cat([short, padding])])
    mask = torch.ones_like(ids)
    mask[1, SHORTER:] = 0
    padded = adapted(input_ids=ids, attention_mask=mask)["logits"][1]
    return float((alone - padded).abs().max() / alone.abs().max().clamp(min=1e-6))


def _text(plain: PreTrainedModel, length: int) -> torch.Tensor:
    """Tokens that differ, none of them padding."""
    table: Any = plain.get_input_embeddings()
    padding, vocabulary = plain.config.pad_token_id, table.weight.shape[0]
    ids = (torch.arange(length, device=plain.device) * 7 + 3) % vocabulary
    return torch.where(ids == padding, (ids + 1) % vocabulary, ids) if padding is not None else ids


def _tolerance(plain: PreTrainedModel) -> float:
    return 1e-2 if plain.dtype == torch.float32 else 0.2


@contextlib.contextmanager
def _still(adapted: nn.Module, plain: PreTrainedModel) -> Iterator[None]:
    """In evaluation mode, with a head that hides nothing (one of zeros would); then as it was before."""
    backbone = {id(parameter) for parameter in plain.base_model.parameters()}
    head = [parameter for parameter in plain.parameters() if id(parameter) not in backbone]
    before = [parameter.detach().clone() for parameter in head]
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]), in_eval(adapted):
            torch.manual_seed(0)
            for parameter in head:
                parameter.normal_()
            yield
    finally:
        with torch.no_grad():
            for parameter, values in zip(head, before, strict=True):
                parameter.copy_(values)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
