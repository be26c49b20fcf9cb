"""The typed form of the groups that choose the training rows: dataset, cleaning, sampling, augmentation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from tunebook.config.options import Options

AUXILIARY = ("group", "time", "weight", "paraphrase")
"""Roles that `dataset.columns` may name for any task, and that the model never sees."""


class SplitConfig(Options):
    """How splits that are not given are carved from the training rows.

    Args:
        validation: share of the training rows, in (0, 1); None: not carved.
        test: likewise.
        seed: which rows.
        method: `stratified` keeps each class's share (multi-label too), `grouped` keeps rows of one
            `columns.group` together, `time` puts the latest rows by `columns.time` into test and the ones before
            into validation, `random` regards nothing; `auto`: time or grouped where that column is named, else
            stratified where there are classes, else random.
        k_fold: validation is one of so many equal parts of the training rows, in place of a share.
        fold: which of them, counted from 0.
    """

    validation: float | None = Field(default=None, gt=0, lt=1)
    test: float | None = Field(default=None, gt=0, lt=1)
    seed: int = Field(default=42, ge=0, lt=2**32)
    method: Literal["auto", "stratified", "random", "grouped", "time"] = "auto"
    k_fold: int | None = Field(default=None, ge=2)
    fold: int = Field(default=0, ge=0)


class DatasetConfig(Options):
    """Where rows come from. `options` are the source's own.

    Args:
        source: a module of `tunebook.data.sources`.
        columns: role (text, label, …) to the source's column; `label` may be several 0/1 columns of a multi-label
            task. Beside the task's roles: `group`, `time`, `weight` and `paraphrase`, which the model never sees.
        labels: names of the labels, in the order of their ids; or a value in the data to its id or name
            (`{pos: 1, neg: 0}`, `{1: negative, 2: negative, 5: positive}`).
        label_separator: between the labels of a multi-label row that are one text.
        split: shares to carve.
        per_class: so many training rows of each class, chosen by `split.seed` (few-shot); the others are left out.
        rows: rows per split that there should be; loading checks them.
        licence: of the data.
        max_rows: at most so many rows of a split, chosen by `split.seed`, each class by its share.
        streaming: false; rows are memory-mapped, whatever their number.
        fingerprints: SHA-256 of each split's content, in frozen recipes; other rows are refused.
    """

    source: str
    columns: dict[str, str | list[str]] = {}
    labels: list[str] | dict[str, int | str] | None = Field(default=None, min_length=2)
    label_separator: str | None = Field(default=None, min_length=1)
    split: SplitConfig = SplitConfig()
    per_class: int | None = Field(default=None, ge=1)
    rows: dict[Literal["train", "validation", "test"], int] | None = None
    licence: str | None = None
    max_rows: dict[Literal["train", "validation", "test"], Annotated[int, Field(ge=1)]] | None = None
    fingerprints: dict[Literal["train", "validation", "test"], str] | None = None
    streaming: bool = False
    options: Options

    @field_validator("labels", mode="before")
    @classmethod
    def _true_and_false_are_values(cls, value: Any) -> Any:
        # YAML reads the keys true and false as such; the data has them as text or as true/false, both of one name.
        if not isinstance(value, dict):
            return value
        return {str(key).lower() if isinstance(key, bool) else key: name for key, name in value.items()}

    @field_validator("streaming")
    @classmethod
    def _rows_lie_on_disk(cls, value: bool) -> bool:
        if value:
            raise ValueError(
                "is not needed any more: rows of every source are on disk and mapped into memory, whatever their "
                "number; take it out"
            )
        return value

    @field_validator("max_rows", mode="before")
    @classmethod
    def _each_split_has_its_own(cls, value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            raise ValueError(f"should give rows for each split, such as {{train: {value}}}")
        return value


Policy = Literal["ignore", "report", "drop", "error"]


class CleaningConfig(Options):
    """What is looked for in the rows and what happens to a finding. Only training rows are ever dropped.

    `ignore`: not looked for; `report`: reported; `drop`: reported and left out, into dropped.jsonl; `error`: the run
    stops.

    Args:
        whitespace: `strip` the ends of every text, or `collapse` each run of white space into one blank as well.
        unicode: normalisation form of every text.
        missing: rows without a text, an image or a label. With `report` a missing text counts as an empty one;
            a row without a label cannot stay.
        duplicates: the same input again with the same label; the first one stays.
        near_duplicates: inputs that are alike (`similarity`), by MinHash (Broder 1997); the first one stays.
        similarity: Jaccard similarity of two texts' shingles from which on they count as alike, in (0, 1].
        conflicts: the same input with different labels; `drop` leaves out all of its rows.
        leaks: training rows that are in validation or test too, and validation rows that are in test.
        near_leaks: likewise, for rows that are alike.
        label_noise: rows whose label is probably wrong, by confident learning (Northcutt et al. 2021) on features
            of the recipe's own frozen model; `weight` lets them count for less.
        label_noise_folds: parts of the cross-validation that gives each row its out-of-fold probabilities.
        label_noise_share: of the training rows that are labelled wrong, as you believe after looking at a hundred;
            None: estimated, which is cautious where the annotators erred on rows that are hard for the model too.
    """

    whitespace: Literal["keep", "strip", "collapse"] = "keep"
    unicode: Literal["keep", "NFC", "NFKC"] = "keep"
    missing: Literal["report", "drop", "error"] = "error"
    duplicates: Policy = "report"
    near_duplicates: Policy = "report"
    similarity: float = Field(default=0.8, gt=0, le=1)
    conflicts: Policy = "report"
    leaks: Policy = "drop"
    near_leaks: Policy = "drop"
    label_noise: Literal["ignore", "report", "drop", "weight"] = "ignore"
    label_noise_folds: int = Field(default=5, ge=2, le=20)
    label_noise_share: float | None = Field(default=None, gt=0, lt=1)


class SamplingConfig(Options):
    """Which rows an epoch holds. `options` are the method's own."""

    method: str
    options: Options


class AugmentationConfig(Options):
    """How training rows are varied. `options` are the method's own."""

    method: str
    options: Options
