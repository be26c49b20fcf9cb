"""Runs an adapted model once: not every architecture can read what an adapter puts at its input. Knows no method."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from tunebook.errors import ModelError, Problem
from tunebook.models.build_classifier import black_image
from tunebook.models.depth import backbone_settings, head_parameters
from tunebook.models.locate import first_line
from tunebook.models.train_mode import eval_mode

SHORT, SHORTER = 8, 5
# What architectures raise that do not support it.
REFUSED = (ValueError, TypeError, RuntimeError, LookupError, AttributeError)
ABLE = {
    "prompt": "encoders (BERT, RoBERTa, DistilBERT, ELECTRA, DeBERTa, ModernBERT)",
    "prefix": "BERT, RoBERTa, ELECTRA and decoders (GPT-2, Llama, Qwen)",
}


def check_forward(adapted: nn.Module, plain: PreTrainedModel, method: str, longest: int | None, at_input: bool) -> None:
    """Runs a small input; with an adapter at the input also a padded one, and one of the greatest length.

    A decoder's classification head reads the last token, which it finds by the padding of the token ids; a prompt
    gives it embeddings in place of ids, and then it reads the padding, so that logits depend on the batch. `longest`
    is a text's length in tokens; None: unknown.

    Raises:
        ModelError: the model cannot run, its logits depend on padding, or it has too few positions.
    """
    what = f"a {backbone_settings(plain).model_type} model"
    able = f"; it works in {ABLE[method]}" if method in ABLE else ""
    fix = "; use adapter=lora" if at_input else "; set adapter=none"
    with _eval_with_random_head(adapted, plain):
        difference = 0.0
        try:
            if plain.main_input_name != "input_ids":
                adapted(black_image(plain.base_model))
            elif at_input:
                difference = _padding_effect(adapted, plain)
            else:
                _logits(adapted, plain, _text(plain, SHORT)[None])
        except REFUSED as error:
            message = f"{method} does not run in {what} ({first_line(error)}){able}{fix}"
            raise ModelError(Problem("adapter.method", message)) from error
        if difference > (1e-2 if plain.dtype == torch.float32 else 0.2):
            message = f"with {method} the logits of {what} depend on how a text is padded{able}{fix}"
            raise ModelError(Problem("adapter.method", message))
        if at_input and longest is not None:
            try:
                _logits(adapted, plain, _text(plain, longest)[None])
            except REFUSED as error:
                message = (
                    f"{longest} tokens and the adapter's virtual ones are more than {what} has positions for; lower "
                    "task.max_length or adapter.num_virtual_tokens"
                )
                raise ModelError(Problem("task.max_length", message)) from error


def _logits(
    adapted: nn.Module, plain: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """The model's first output: (rows, …), of each token, or of each row."""
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids) if mask is None else mask}
    if plain.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = ids[:, :1]
    output = adapted(**inputs)
    return output["logits"] if "logits" in output else next(iter(output.values()))


def _padding_effect(adapted: nn.Module, plain: PreTrainedModel) -> float:
    """The largest difference that padding makes to a text's logits, as a share of their size."""
    long, short = _text(plain, SHORT), _text(plain, SHORTER)
    alone = _logits(adapted, plain, short[None])[0]
    padding = torch.full((SHORT - SHORTER,), plain.config.pad_token_id or 0, device=short.device)
    ids = torch.stack([long, torch.cat([short, padding])])
    mask = torch.ones_like(ids)
    mask[1, SHORTER:] = 0
    padded = _logits(adapted, plain, ids, mask)[1]
    if padded.shape != alone.shape:
        padded = padded[: len(alone)]  # of each token: those of the padding come last
    return float((alone - padded).abs().max() / alone.abs().max().clamp(min=1e-6))


def _text(plain: PreTrainedModel, length: int) -> torch.Tensor:
    """Tokens that differ, none of them padding."""
    table: Any = plain.get_input_embeddings()
    padding, vocabulary = plain.config.pad_token_id, table.weight.shape[0]
    ids = (torch.arange(length, device=plain.device) * 7 + 3) % vocabulary
    return torch.where(ids == padding, (ids + 1) % vocabulary, ids) if padding is not None else ids


@contextlib.contextmanager
def _eval_with_random_head(adapted: nn.Module, plain: PreTrainedModel) -> Iterator[None]:
    """In evaluation mode, with a random head (one of zeros would hide every difference); then as it was before."""
    of_head = head_parameters(plain)
    head = [parameter for parameter in plain.parameters() if id(parameter) in of_head]
    before = [parameter.detach().clone() for parameter in head]
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]), eval_mode(adapted):
            torch.manual_seed(0)
            for parameter in head:
                parameter.normal_()
            yield
    finally:
        with torch.no_grad():
            for parameter, values in zip(head, before, strict=True):
                parameter.copy_(values)
