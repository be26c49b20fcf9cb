"""Windows over a text that is longer than a model takes: where they begin and end, and which one each token is of.

Knows numbers of tokens only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """Tokens of a text that the model sees together.

    Args:
        start: its first token.
        end: the one behind its last.
        first: the first token that is learned and predicted here.
        last: the one behind the last such; the others are seen as context only.
    """

    start: int
    end: int
    first: int
    last: int


def windows(words: Sequence[int | None], room: int, stride: int) -> list[Window]:
    """Windows that together hold every token, each of which is learned and predicted in exactly one of them.

    A window begins and ends at the border of a word; only a word that is longer than `room` is cut. A word in
    several windows is of the one in which it is furthest from an edge where the text goes on.

    Args:
        words: of each token, the number of its word, as a fast tokenizer's `word_ids` gives it.
        room: tokens of a window.
        stride: tokens that a window shares with the one before it, at least so many where words allow it.
    """
    count = len(words)
    if count <= room:
        return [Window(0, count, 0, count)]
    pieces = _pieces(words, room)
    ends = [end for _, end in pieces]
    spans: list[tuple[int, int]] = []
    start = 0
    while True:
        end = max(border for border in ends if start < border <= start + room)
        spans.append((start, end))
        if end == count:
            break
        shared = [border for border in ends if start < border <= end - stride]
        start = max(shared, default=end)
    owners = [_owner(piece, spans, count) for piece in pieces]
    result = []
    for at, (start, end) in enumerate(spans):
        own = [piece for piece, owner in zip(pieces, owners, strict=True) if owner == at]
        if own:
            result.append(Window(start, end, own[0][0], own[-1][1]))
    return result


def _pieces(words: Sequence[int | None], room: int) -> list[tuple[int, int]]:
    """First token and the one behind the last of each word; a word of more than `room` tokens in several pieces."""
    result: list[tuple[int, int]] = []
    for at, word in enumerate(words):
        if at and word == words[at - 1] and at - result[-1][0] < room:
            result[-1] = result[-1][0], at + 1
        else:
            result.append((at, at + 1))
    return result


def _owner(piece: tuple[int, int], spans: Sequence[tuple[int, int]], count: int) -> int:
    """The window that holds the piece with the most context on its poorer side; the first of equal ones."""

    def context(at: int) -> int:
        start, end = spans[at]
        before = piece[0] - start if start else count
        behind = end - piece[1] if end < count else count
        return min(before, behind)

    holding = [at for at, (start, end) in enumerate(spans) if start <= piece[0] and piece[1] <= end]
    return max(holding, key=context)
