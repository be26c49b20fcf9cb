"""Reports encoded conversations before training: which were left out, what is learned. Knows no model."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tunebook.errors import DataError, Problem
from tunebook.tasks._tokens import IGNORED

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger("tunebook")
SHOWN = 10


def check_left_out(split: str, rows: Dataset, encoded: Dataset, form: str, max_length: int, most: float) -> None:
    """Reports how many rows became examples, and those that have no token to learn.

    Args:
        split: its name.
        rows: the prepared rows.
        encoded: their examples, with `position` and `length`.
        form: of the conversations.
        max_length: in tokens.
        most: share of the rows that may be left out.

    Raises:
        DataError: more are.
    """
    present = set(encoded["position"][:]) if len(encoded) else set()
    missing = [position for position in range(len(rows)) if position not in present]
    full = sum(length >= max_length for length in encoded["length"][:]) if len(encoded) else 0
    message = "%s: %d conversations of the form %s; %d fill max_length=%d and may be cut; %d left out"
    logger.info(message, split, len(encoded), form, full, max_length, len(missing))
    if len(missing) > most * len(rows):
        numbers = ", ".join(str(row) for row in rows.select(missing[:SHOWN])["row"][:])
        reasons = f"(no answer, or none within task.max_length={max_length} tokens)"
        shown = f"rows {numbers}{', …' if missing[SHOWN:] else ''}"
        message = f"{len(missing):,} of {len(rows):,} rows of {split} have no token to learn {reasons}: {shown}"
        raise DataError(Problem("task.max_untrained", message))


def marked(examples: Any, processor: Any, n: int) -> str:
    """The first examples as text, with what is learned in double brackets.

    Args:
        examples: with `input_ids` and `labels`.
        processor: their tokenizer.
        n: how many, at most.
    """
    shown = []
    for at in range(min(n, len(examples))):
        ids, labels = examples[at]["input_ids"], examples[at]["labels"]
        parts, begin = [], 0
        for end in range(1, len(ids) + 1):
            learned = labels[begin] != IGNORED
            if end == len(ids) or (labels[end] != IGNORED) != learned:
                text = processor.decode(ids[begin:end], skip_special_tokens=False)
                parts.append(f"[[{text}]]" if learned else text)
                begin = end
        shown.append("".join(parts))
    return "\n---\n".join(shown)
