"""Which token is of which word or span: labels and units of tokens. Knows what a fast tokenizer gives, no model.

A unit is what is predicted: a word by its first token, or each token of a text; (unit, start, end).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tunebook.data.labels.tag_schemes import OUTSIDE, split_tag
from tunebook.errors import DataError, Problem

if TYPE_CHECKING:
    from tunebook.data.labels.token_labels import Span

logger = logging.getLogger("tunebook")

IGNORED = -100
"""Label of a token that is not learned."""
NO_UNIT = [-1, 0, 0]
"""Of a token that is not predicted."""
SHOWN = 20

Aligned = tuple[list[list[int]], list[int]]
"""Units and labels of the tokens of a row."""


def words(rows: dict[str, list[Any]], encoded: Any, names: Sequence[str], subtokens: str) -> list[Aligned]:
    """Of rows of words; a word without a token has neither unit nor label.

    Args:
        rows: `tokens`, and `tags` (ids) where there are any.
        encoded: the tokens of the words, without special ones.
        names: of the tags.
        subtokens: `all`: tokens behind a word's first are learned as inside of its entity; `first`: not at all.
    """
    ids = {name: at for at, name in enumerate(names)}
    inside = {at: ids.get(f"I-{split_tag(name)[1]}", at) for at, name in enumerate(names)}
    result = []
    for at in range(len(rows["tokens"])):
        tags = rows["tags"][at] if "tags" in rows else None
        units: list[list[int]] = []
        labels: list[int] = []
        previous = None
        for word in encoded.word_ids(at):
            first = word != previous
            tag = IGNORED if tags is None else tags[word]
            behind = inside.get(tag, tag) if subtokens == "all" else IGNORED
            units.append([word, word, word + 1] if first else NO_UNIT)
            labels.append(tag if first else behind)
            previous = word
        result.append((units, labels))
    return result


def spans(rows: dict[str, list[Any]], encoded: Any, names: Sequence[str], policy: str) -> list[Aligned]:
    """Of rows of text; each token is a unit.

    Args:
        rows: `text` and `row`, and `spans` where there are any.
        encoded: the tokens of the texts with their offsets, without special ones.
        names: of the tags.
        policy: of spans that begin or end inside a token: `error`, `widen` or `drop`.

    Raises:
        DataError: there are such spans, under `error`.
    """
    ids = {name: at for at, name in enumerate(names)}
    result = []
    wrong: list[tuple[int, Span, str]] = []
    for at, text in enumerate(rows["text"]):
        offsets = encoded["offset_mapping"][at]
        units = [[unit, start, end] for unit, (start, end) in enumerate(offsets)]
        labels = [IGNORED] * len(units)
        if "spans" in rows:
            tags, misaligned = tags_of_spans(rows["spans"][at], offsets, policy)
            labels = [ids[tag] for tag in tags]
            wrong += [(rows["row"][at], span, text[span["start"] : span["end"]]) for span in misaligned]
        result.append((units, labels))
    if wrong and policy == "error":
        raise _refusal(wrong)
    if wrong:
        done = {"widen": "widened to whole tokens", "drop": "left out"}[policy]
        row, span, shown = wrong[0]
        where = f"{shown!r} ({span['label']}) in row {row}"
        logger.warning("%d spans begin or end inside a token and are %s, the first: %s", len(wrong), done, where)
    return result


def tags_of_spans(spans: Sequence[Span], offsets: Any, policy: str = "widen") -> tuple[list[str], list[Span]]:
    """IOB2 tags of the units of a text, and the spans whose borders are not at borders of units.

    Args:
        spans: in order, not overlapping.
        offsets: (units, 2): start and end of each.
        policy: of those spans: `widen` to the units that they touch, or `drop`; what no unit touches is dropped.
    """
    tags = [OUTSIDE] * len(offsets)
    misaligned = []
    taken = -1
    for span in spans:
        touched = [at for at, (start, end) in enumerate(offsets) if max(start, span["start"]) < min(end, span["end"])]
        exact = touched and offsets[touched[0]][0] >= span["start"] and offsets[touched[-1]][1] <= span["end"]
        if not exact:
            misaligned.append(span)
        own = [at for at in touched if at > taken]
        if own and (exact or policy == "widen"):
            tags[own[0] : own[-1] + 1] = [f"B-{span['label']}"] + [f"I-{span['label']}"] * (len(own) - 1)
            taken = own[-1]
    return tags, misaligned


def special_tokens(processor: Any) -> tuple[list[int], list[int]]:
    """The ids that the tokenizer puts before a text and behind it."""
    encoded = processor("a", return_special_tokens_mask=True)
    ids, special = encoded["input_ids"], encoded["special_tokens_mask"]
    first, last = special.index(0), len(special) - special[::-1].index(0)
    return ids[:first], ids[last:]


def put_blank_before_words(processor: Any) -> None:
    """A tokenizer of bytes (RoBERTa's) knows the words of a list as words only with a blank before each."""
    splitter = processor.backend_tokenizer.pre_tokenizer
    if hasattr(splitter, "add_prefix_space"):
        splitter.add_prefix_space = processor.add_prefix_space = True


def _refusal(spans: Sequence[tuple[int, Span, str]]) -> DataError:
    """Spans whose borders are not at borders of tokens: (row number, span, its text)."""
    problems = [
        Problem(
            "dataset.columns.spans",
            f"the span {span['start']}–{span['end']} ({span['label']}, {text!r}) does not begin and end at borders of "
            "tokens; correct it, or set task.misaligned=widen or drop",
            f"row {row}",
        )
        for row, span, text in spans[:SHOWN]
    ]
    return DataError(problems)
