"""Rows of one split that stand in another one too, or are almost like a row there. Test is never touched."""

from __future__ import annotations

from itertools import combinations

from datasets import DatasetDict

from tunebook.config.schema import CleaningConfig
from tunebook.data import near
from tunebook.data.cleaning.contents import Contents
from tunebook.data.cleaning.findings import Record
from tunebook.data.columns import ROW

DROPPABLE = ("train", "validation")


def settled(
    splits: DatasetDict,
    cleaning: CleaningConfig,
    contents: Contents,
    record: Record,
) -> DatasetDict:
    """The splits after leaks between each two of them; what leaks is taken from the earlier split.

    Labels do not count: an input that is known from training is known, whatever it was called there. What is like
    a row that has just been left out is not looked for again.

    Args:
        splits: in the order train, validation, test.
        cleaning: the policies.
        contents: of the rows.
        record: takes the findings.
    """
    # Validation is freed of what stands in test first, so that train loses nothing for rows that then go themselves.
    pairs = list(reversed(list(combinations(list(splits), 2))))
    for earlier, later in pairs:
        if cleaning.leaks != "ignore":
            splits = _exact(splits, earlier, later, cleaning.leaks, contents, record)
    for earlier, later in pairs:
        if cleaning.near_leaks != "ignore" and len(splits[earlier]) and len(splits[later]):
            splits = _near(splits, earlier, later, cleaning, contents, record)
    return splits


def _exact(
    splits: DatasetDict, earlier: str, later: str, policy: str, contents: Contents, record: Record
) -> DatasetDict:
    known: dict[bytes, int] = {}
    for digest, row in zip(contents.digests(later, splits[later]), splits[later][ROW][:], strict=True):
        known.setdefault(digest, row)
    digests = contents.digests(earlier, splits[earlier])
    positions = [at for at, digest in enumerate(digests) if digest in known]
    partners = [(later, known[digests[at]]) for at in positions]
    words = f"{'stand' if len(positions) != 1 else 'stands'} in {later} too"
    return record.settle(splits, earlier, positions, "leaks", policy, words, partners, DROPPABLE)


def _near(
    splits: DatasetDict,
    earlier: str,
    later: str,
    cleaning: CleaningConfig,
    contents: Contents,
    record: Record,
) -> DatasetDict:
    texts = contents.sketches(earlier, splits[earlier])
    others = contents.sketches(later, splits[later])
    if texts is None or others is None:
        return splits
    exact = set(contents.digests(later, splits[later]))
    digests = contents.digests(earlier, splits[earlier])
    rows = splits[later][ROW][:]
    pairs = [pair for pair in near.alike_across(others, texts, cleaning.similarity) if digests[pair[1]] not in exact]
    positions = [at for _, at, _ in pairs]
    words = f"{'are' if len(positions) != 1 else 'is'} almost like a row of {later}"
    words += f" (similarity {cleaning.similarity:g} or more)"
    partners = [(later, rows[other]) for other, _, _ in pairs]
    return record.settle(splits, earlier, positions, "near_leaks", cleaning.near_leaks, words, partners, DROPPABLE)
