"""Schemes of tags (IOB1, IOB2, BILOU or BIOES): which one it is, and how tags become IOB2. Knows lists of tags.

IOB2 begins every entity with `B-`; IOB1 only one that touches another of its type; BILOU also marks the last token
(`L-`, `E-`) and an entity of one token (`U-`, `S-`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal, NamedTuple

Scheme = Literal["iob1", "iob2", "bilou", "none"]

OUTSIDE = "O"
PREFIXES: dict[str, frozenset[str]] = {
    "iob1": frozenset("BI"),
    "iob2": frozenset("BI"),
    "bilou": frozenset("BILUES"),
    "none": frozenset(),
}
LAST, SINGLE = frozenset("LE"), frozenset("US")


class Entity(NamedTuple):
    """An entity: its type, its first token, and the one behind its last."""

    type: str
    start: int
    end: int


def split_tag(tag: str) -> tuple[str, str]:
    """The prefix and the type: ('B', 'PER'), or ('O', ''); ('', tag) where the tag has no prefix of any scheme."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    if len(tag) > 2 and tag[1] == "-" and tag[0] in PREFIXES["bilou"]:
        return tag[0], tag[2:]
    return "", tag


def detect(rows: Iterable[Sequence[str]]) -> Scheme:
    """The scheme of all rows: `none` where no tag has a prefix, or some tag other than `O` has none.

    Of `B-` and `I-` alone it is IOB1 if some entity begins with `I-` and no `B-` is where IOB1 has none.
    """
    prefixes: set[str] = set()
    begins_inside = begins_alone = False
    for tags in rows:
        before = (OUTSIDE, "")
        for tag in tags:
            prefix, type_ = split_tag(tag)
            prefixes.add(prefix)
            begins_inside |= prefix == "I" and before[1] != type_
            begins_alone |= prefix == "B" and before[1] != type_
            before = (prefix, type_)
    if "" in prefixes or prefixes <= {OUTSIDE}:
        return "none"
    if prefixes & (LAST | SINGLE):
        return "bilou"
    return "iob1" if begins_inside and not begins_alone else "iob2"


def to_iob2(tags: Sequence[str], scheme: Scheme) -> tuple[list[str], list[int]]:
    """The tags in IOB2, and the positions at which they break the rules of their scheme.

    What breaks them is read as conlleval and seqeval read it: an inside tag without an entity of its type before it
    begins one, and an entity that is not closed ends with its last token.

    Args:
        tags: of one row, with prefixes of the scheme.
        scheme: that they are in; tags of `none` stay as they are.
    """
    if scheme == "none":
        return list(tags), []
    result, wrong = [], []
    open_type = ""  # of the entity that the next tag may continue
    for at, tag in enumerate(tags):
        prefix, type_ = split_tag(tag)
        continues = prefix in {"I", *LAST} and type_ == open_type
        unclosed = scheme == "bilou" and bool(open_type) and not continues
        if unclosed:
            wrong.append(at - 1)
        if prefix in {"I", *LAST} and not continues and scheme != "iob1":
            wrong.append(at)
        if prefix == OUTSIDE:
            result.append(OUTSIDE)
        else:
            result.append(f"{'I' if continues else 'B'}-{type_}")
        closed = scheme == "bilou" and prefix in LAST | SINGLE
        open_type = "" if closed else type_
    if scheme == "bilou" and open_type:
        wrong.append(len(tags) - 1)
    return result, sorted(set(wrong))


def entities(tags: Sequence[str]) -> list[Entity]:
    """The entities of tags in IOB2, in order; an inside tag without a beginning begins one, as in seqeval."""
    result: list[Entity] = []
    for at, tag in enumerate(tags):
        prefix, type_ = split_tag(tag)
        last = result[-1] if result else None
        if prefix == "I" and last is not None and last.end == at and last.type == type_:
            result[-1] = last._replace(end=at + 1)
        elif prefix in {"B", "I"}:
            result.append(Entity(type_, at, at + 1))
    return result


def tag_names(types: Collection[str]) -> list[str]:
    """The vocabulary of IOB2 in the order of ids: `O`, then the beginning and the inside of each type."""
    return [OUTSIDE, *(f"{prefix}-{type_}" for type_ in types for prefix in "BI")]
