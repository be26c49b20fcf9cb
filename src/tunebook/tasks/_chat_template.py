"""Turns messages into tokens by a chat template and marks those of the answers. Knows tokenizers, no data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook.errors import ConfigurationError, Problem
from tunebook.tasks._conversations import Messages

KEY = "task.chat_template"
PLAIN = (
    "{% if bos_token is defined and bos_token and bos_token != eos_token %}{{ bos_token }}{% endif %}"
    "{% for message in messages %}"
    "{{ '### ' + message['role'] | capitalize + ':\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + eos_token }}{% endgeneration %}{{ '\n\n' }}"
    "{% else %}{{ message['content'] + '\n\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Assistant:\n' }}{% endif %}"
)
"""Tunebook's own template, for tokenizers without one."""


@dataclass(frozen=True)
class Rendered:
    """A conversation in tokens.

    Args:
        ids: of all tokens.
        answers: first and behind the last token of each answer, its stop token included.
    """

    ids: list[int]
    answers: list[tuple[int, int]]


def set_template(processor: Any, stated: str | None) -> str:
    """Gives a tokenizer its chat template, which is saved with it.

    Args:
        processor: a tokenizer.
        stated: Jinja text, a file, `plain`, or the name of one of the tokenizer's own; None: the tokenizer's own, else
            `plain`.

    Returns:
        Where the template comes from, in words.

    Raises:
        ConfigurationError: there is no such template, or the tokenizer cannot mark answers.
    """
    own = processor.chat_template
    named = own if isinstance(own, dict) else {}
    if stated is None:
        stated = "default" if "default" in named else "plain" if not own else ""
    if not processor.is_fast:
        message = f"{type(processor).__name__} does not say which characters a token is of; a fast tokenizer does"
        raise ConfigurationError(Problem("model.tokenizer", message))
    if not stated:
        return "the tokenizer's own chat template"
    if stated in named:
        processor.chat_template = named[stated]
        return f"the tokenizer's chat template {stated!r}"
    if stated == "plain":
        if processor.eos_token is None:
            raise ConfigurationError(Problem(KEY, "plain needs a tokenizer with an end token; give a template"))
        processor.chat_template = PLAIN
        return "Tunebook's plain chat template, since the tokenizer has none" if not own else "the template plain"
    if "{%" in stated or "{{" in stated:
        processor.chat_template = stated
        return f"the template in {KEY}"
    if not Path(stated).is_file():
        names = ", ".join(["plain", *named])
        message = f"is no Jinja text, and there is no such file in {Path.cwd()}; names: {names}"
        raise ConfigurationError(Problem(f"{KEY}={stated!r}", message))
    processor.chat_template = Path(stated).read_text(encoding="utf-8")
    return f"the template in {stated}"


def render(messages: Messages, processor: Any) -> Rendered:
    """A conversation in tokens, with its answers.

    The answers are what the template marks by {% generation %}, where it does. Else the conversation is rendered up to
    each answer and behind it, and the whole must begin with each of these texts.

    Raises:
        ValueError: the template refuses the conversation, or it cannot be read where answers begin.
    """
    from jinja2 import TemplateError

    try:
        whole = _text(messages, processor)
        if re.search(r"\{%-?\s*generation\s*-?%\}", processor.chat_template):
            return _by_marks(messages, processor)
    except TemplateError as error:
        raise ValueError(f"the chat template refuses it: {error}") from None
    try:
        spans = _spans(messages, whole, processor)
    except TemplateError:
        spans = None  # some refuse a conversation that ends early
    if spans is None:
        raise ValueError(
            "the chat template writes earlier turns in another way once later ones follow, and does not mark answers "
            f"by {{% generation %}}; give a template that does in {KEY}"
        )
    tokens = processor(whole, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    places = tokens["offset_mapping"]
    answers = []
    for begin, end in spans:
        inside = [at for at, (first, behind) in enumerate(places) if first < min(end, behind) and behind > begin]
        if inside:
            answers.append((inside[0], inside[-1] + 1))
    return Rendered(list(tokens["input_ids"]), answers)


def stop_tokens(processor: Any) -> set[int]:
    """Ids of the tokens that may end an answer: special and added ones."""
    return {*processor.all_special_ids, *processor.added_tokens_decoder} - {processor.unk_token_id}


def _text(messages: Messages, processor: Any, prompt: bool = False) -> str:
    return processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt)


def _spans(messages: Messages, whole: str, processor: Any) -> list[tuple[int, int]] | None:
    """Where each answer begins and ends in the text; None: the template writes earlier turns in another way."""
    stops = tuple(processor.convert_ids_to_tokens(sorted(stop_tokens(processor))))
    spans = []
    for at, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before, behind = _text(messages[:at], processor, prompt=True), _text(messages[: at + 1], processor)
        if not (whole.startswith(behind) and behind.startswith(before)):
            return None
        begin = len(before)
        if before == _text(messages[:at], processor):
            # The template has no prompt for an answer, so the name of the speaker comes before it.
            begin += max(behind[begin:].find(message["content"].strip()), 0)
        # What follows the stop token, a line break as a rule, is never generated.
        stripped = behind.rstrip()
        spans.append((begin, len(stripped if stripped.endswith(stops) else behind)))
    return spans


def _by_marks(messages: Messages, processor: Any) -> Rendered:
    tokens = processor.apply_chat_template(messages, tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
    ids, mask, stops = list(tokens["input_ids"]), [*tokens["assistant_masks"], 0], stop_tokens(processor)
    answers, begin = [], None
    for at, marked in enumerate(mask):
        if marked and begin is None:
            begin = at
        elif not marked and begin is not None:
            follows = at < len(ids) and ids[at] in stops and ids[at - 1] not in stops
            answers.append((begin, at + follows))
            begin = None
    return Rendered(ids, answers)
