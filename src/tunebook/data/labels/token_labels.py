"""Labels of tokens: a tag for each word, or spans of characters, both learned as IOB2. Knows rows, no tokenizer."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from tunebook.data.labels import naming
from tunebook.data.labels.base import Stated, Targets
from tunebook.data.labels.tag_schemes import OUTSIDE, PREFIXES, Scheme, detect, split_tag, tag_names, to_iob2
from tunebook.errors import DataError, Problem, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset, DatasetDict

logger = logging.getLogger("tunebook")

Span = dict[str, Any]
"""`start` and `end` (behind its last character), in characters, and `label`, its type."""


class _TokenLabels:
    """What tags and spans share; see `tunebook.data.labels.base.LabelType`."""

    name = "token_labels"
    has_classes = False
    empty_is_missing = True

    def indicators(self, values: Any, names: Sequence[str]) -> np.ndarray:
        """Rows have no classes."""
        raise TypeError("labels of tokens are no classes of rows")

    def strata(self, values: Any) -> None:
        """Nothing: rows are split at random."""


class TagLabels(_TokenLabels):
    """A list of tags a row, one for each of its words.

    Args:
        scheme: that the tags are in; `auto`: detected from all splits together.
        invalid: tags that break the rules of their scheme: `repair` reads them as conlleval does and reports them,
            `error` refuses them.
        words: role of the words.
    """

    words = "a tag for each word"

    def __init__(
        self,
        scheme: Scheme | Literal["auto"] = "auto",
        invalid: Literal["repair", "error"] = "repair",
        words: str = "tokens",
    ) -> None:
        self.scheme, self.invalid, self.words_role = scheme, invalid, words

    def encode(
        self, splits: DatasetDict, role: str, stated: Stated, key: str, separator: str | None = None
    ) -> tuple[DatasetDict, Targets]:
        """The splits with `role` as lists of ids of IOB2 tags; of plain tags where the scheme is `none`.

        `O` is id 0. `stated` gives the types, or tags, in their order, or maps tags (or ids) to tags.
        """
        from datasets import ClassLabel, DatasetDict, List

        naming.refuse_separator(separator)
        known = naming.carried_names({name: _inner(split, role) for name, split in splits.items()}, key)
        tags = {name: self._tags(split, role, stated, known, key) for name, split in splits.items()}
        scheme = self._scheme([row for rows in tags.values() for row in rows], key)
        tags = self._iob2(splits, tags, scheme, key)
        present = {tag for rows in tags.values() for row in rows for tag in row}
        names = _plain_names(present, stated, known) if scheme == "none" else tag_names(_types(present, stated, known))
        ids = {tag: at for at, tag in enumerate(names)}
        feature = List(ClassLabel(names=names))
        encoded = {
            name: split.remove_columns(role).add_column(
                role, [[ids[tag] for tag in row] for row in tags[name]], feature=feature
            )
            for name, split in splits.items()
        }
        return DatasetDict(encoded), naming.targets_of(names, stated, known)

    def describe(self, value: Any, names: Sequence[str]) -> str:
        """The tags other than `O`, or `none`."""
        return ", ".join(names[tag] for tag in value if names[tag] != OUTSIDE) or "none"

    def _tags(self, split: Dataset, role: str, stated: Stated, known: list[str] | None, key: str) -> list[list[str]]:
        """Tags as text, as many as there are words in each row."""
        rows, words = list(split[role][:]), split[self.words_role][:]
        uneven = [
            (number, len(one), len(tags))
            for number, one, tags in zip(split["row"][:], words, rows, strict=True)
            if len(one) != len(tags)
        ]
        if uneven:
            from tunebook.data.checks import rows_in_words

            number, one, tags = uneven[0]
            message = (
                f"must have a tag for each word: {rows_in_words([row for row, *_ in uneven])} "
                f"(row {number}: {one} words, {tags} tags)"
            )
            raise DataError(Problem(key, message))
        names = _names_of_values(rows, stated, known, key)
        return [[names[tag] for tag in tags] for tags in rows]

    def _scheme(self, rows: list[list[str]], key: str) -> Scheme:
        detected = detect(rows)
        scheme: Scheme = detected if self.scheme == "auto" else self.scheme
        allowed = {*PREFIXES[scheme], OUTSIDE}
        tags = dict.fromkeys(tag for row in rows for tag in row)
        plain = [tag for tag in tags if not split_tag(tag)[0]]
        if self.scheme == "auto" and plain and any(split_tag(tag)[0] not in {"", OUTSIDE} for tag in tags):
            shown = ", ".join(map(repr, plain[:5]))
            message = f"some tags have a prefix, as B-, and some none: {shown}; correct them, or state task.scheme=none"
            raise DataError(Problem(key, message))
        if scheme != "none" and (others := [tag for tag in tags if split_tag(tag)[0] not in allowed]):
            message = (
                f"is {scheme}, which has no tags such as {', '.join(map(repr, others[:5]))}; it looks like {detected}"
            )
            raise DataError(Problem("task.scheme", message, key))
        if self.scheme == "auto":
            logger.info(
                "%s: the tags are read as %s", key, "plain labels, not entities" if scheme == "none" else scheme
            )
        return scheme

    def _iob2(
        self, splits: DatasetDict, tags: Mapping[str, list[list[str]]], scheme: Scheme, key: str
    ) -> dict[str, list[list[str]]]:
        from tunebook.data.checks import rows_in_words

        result, problems = {}, []
        for name, rows in tags.items():
            converted = [to_iob2(row, scheme) for row in rows]
            result[name] = [row for row, _ in converted]
            wrong = [(number, at) for number, (_, at) in zip(splits[name]["row"][:], converted, strict=True) if at]
            if wrong:
                count = sum(len(at) for _, at in wrong)
                where = f"{name}, {rows_in_words([number for number, _ in wrong])}"
                first = tags[name][next(at for at, (_, positions) in enumerate(converted) if positions)]
                shown = f"{count} tags break the rules of {scheme}, such as {first[wrong[0][1][0]]!r}: {where}"
                problems.append(Problem(key, f"{shown}; correct them, or set task.invalid_tags=repair"))
                if self.invalid == "repair":
                    logger.warning("%s: %s; they are read as conlleval reads them", key, shown)
        if problems and self.invalid == "error":
            raise DataError(problems)
        return result


class SpanLabels(_TokenLabels):
    """A list of spans a row, `{start, end, label}` in characters of its text; the task aligns them with tokens.

    Args:
        text: role of the text.
    """

    words = "spans of characters"

    def __init__(self, text: str = "text") -> None:
        self.text = text

    def encode(
        self, splits: DatasetDict, role: str, stated: Stated, key: str, separator: str | None = None
    ) -> tuple[DatasetDict, Targets]:
        """The splits with `role` as lists of spans in order, none empty, overlapping or outside of its text."""
        from datasets import DatasetDict, List, Value

        naming.refuse_separator(separator)
        problems: list[Problem] = []
        encoded = {}
        feature = List({"start": Value("int64"), "end": Value("int64"), "label": Value("string")})
        types: set[str] = set()
        for name, split in splits.items():
            rows = []
            for number, text, value in zip(split["row"][:], split[self.text][:], split[role][:], strict=True):
                spans = sorted(map(_span, _listed(value)), key=_place)
                problems += [Problem(key, why, f"{name}, row {number}") for why in _wrong(spans, text)]
                rows.append(spans)
            if not problems:
                rows = [[{**span, "label": _renamed(span["label"], stated)} for span in spans] for spans in rows]
                types |= {span["label"] for spans in rows for span in spans}
                encoded[name] = split.remove_columns(role).add_column(role, rows, feature=feature)
        if problems:
            raise DataError(problems[:20])
        names = tag_names(_types({f"B-{one}" for one in types}, stated, None))
        return DatasetDict(encoded), naming.targets_of(names, stated, None)

    def describe(self, value: Any, names: Sequence[str]) -> str:
        """The types of the spans, or `none`."""
        return ", ".join(span["label"] for span in value) or "none"


def _inner(split: Dataset, role: str) -> Any:
    return getattr(split.features[role], "feature", None)


def _names_of_values(
    rows: Iterable[Sequence[Any]], stated: Stated, known: Sequence[str] | None, key: str
) -> dict[Any, str]:
    """Each value of the column as the text of a tag: itself, the name of an id, or what `stated` maps it to."""
    values = dict.fromkeys(value for row in rows for value in row)
    if not values:
        raise DataError(Problem(key, "has no tag at all; there is nothing to learn"))
    names = known or (list(stated) if stated is not None and not isinstance(stated, Mapping) else None)
    result = {}
    for value in values:
        if isinstance(value, str):
            result[value] = _renamed(value, stated)
        elif isinstance(stated, Mapping) and str(value) in stated:
            result[value] = str(stated[str(value)])
        elif names is not None and 0 <= value < len(names):
            result[value] = _renamed(names[value], stated)
        else:
            message = f"holds the id {value}, which has no name; state dataset.labels as tags in the order of their ids"
            raise DataError(Problem(key, message))
    return result


def _renamed(tag: str, stated: Stated) -> str:
    """A tag, or the type in it, under the name that `stated` maps it to."""
    if not isinstance(stated, Mapping):
        return tag
    prefix, type_ = split_tag(tag)
    if tag in stated or not prefix or prefix == OUTSIDE:
        return str(stated.get(tag, tag))
    return f"{prefix}-{stated.get(type_, type_)}"


def _types(tags: Iterable[str], stated: Stated, known: Sequence[str] | None) -> list[str]:
    """The types in the order of the recipe, else of the column's names, else of the alphabet."""
    present = sorted({split_tag(tag)[1] for tag in tags} - {""})
    if not present:
        raise DataError("no row has an entity; there is nothing to learn")
    if stated is None or isinstance(stated, Mapping):
        carried = dict.fromkeys(split_tag(tag)[1] for tag in known or () if tag != OUTSIDE)
        return [one for one in carried if one in present] + [one for one in present if one not in carried]
    wanted = list(dict.fromkeys(split_tag(tag)[1] for tag in stated if tag != OUTSIDE))
    if set(wanted) != set(present):
        problem = naming.stated_differ(wanted, present)
        unknown = [one for one in present if one not in wanted]
        hint = f"; {unknown[0]!r}: {did_you_mean(unknown[0], wanted)}" if unknown else ""
        raise DataError(Problem(problem.key, problem.message + hint))
    return wanted


def _plain_names(present: set[str], stated: Stated, known: Sequence[str] | None) -> list[str]:
    order = list(known or ()) if stated is None or isinstance(stated, Mapping) else list(stated)
    if order and not isinstance(stated, Mapping):
        if unknown := sorted(present - set(order)):
            raise DataError(naming.stated_differ(order, unknown))
        return order
    return sorted(present, key=lambda tag: (tag != OUTSIDE, tag))


def _listed(value: Any) -> list[Mapping[str, Any]]:
    """A list of objects, also of an object of lists."""
    if isinstance(value, Mapping):
        return [dict(zip(value, cells, strict=True)) for cells in zip(*value.values(), strict=True)]
    return list(value)


def _span(value: Mapping[str, Any]) -> Span:
    return {name: value.get(name) for name in ("start", "end", "label")}


def _place(span: Span) -> list[int]:
    return [one if isinstance(one, int) else 0 for one in (span["start"], span["end"])]


def _wrong(spans: Sequence[Span], text: str) -> list[str]:
    """What is wrong with the spans of a row, in their order."""
    result, end = [], 0
    for span in spans:
        start, stop, label = span["start"], span["end"], span["label"]
        if not all(isinstance(one, int) for one in (start, stop)) or not isinstance(label, str) or not label:
            result.append(f"the span {span} must have start and end (whole numbers) and label (text)")
            continue
        shown = f"the span {start}–{stop} ({label})"
        if not 0 <= start < stop <= len(text):
            result.append(f"{shown} is empty or outside of the text, which has {len(text)} characters")
        elif start < end:
            result.append(f"{shown} overlaps the one before it, which ends at {end}; each character takes one label")
        elif not text[start:stop].strip():
            result.append(f"{shown} holds nothing but white space")
        end = max(end, stop)
    return result
