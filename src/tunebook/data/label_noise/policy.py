"""What happens to rows whose label is probably wrong, once for all processes and for every continuation of a run."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from datasets import Dataset

from tunebook import files
from tunebook.config.data_groups import CleaningConfig
from tunebook.data import fingerprint
from tunebook.data.cleaning.findings import Finding, dropped_rows, in_words
from tunebook.data.cleaning.weights import scaled
from tunebook.data.columns import ROW
from tunebook.data.label_noise import requirements, suspects
from tunebook.data.labels.base import class_counts
from tunebook.data.prepare import PreparedData, without_rows
from tunebook.errors import ConfigurationError, DataError, Problem

logger = logging.getLogger("tunebook")

FILE = "label_noise.json"
KIND = "label_noise"
DONE = {"report": "kept", "drop": "left out", "weight": "every row weighs as its label is probably right"}

FLOOR = 0.05
"""No row weighs less: what looks impossible to the probe may still be right."""


class Ranks(Protocol):
    """What is used of `tunebook.training.processes.Processes`."""

    @property
    def main(self) -> bool: ...
    def main_first(self) -> AbstractContextManager[None]: ...
    def from_main(self, value: Any) -> Any: ...


@dataclass(frozen=True)
class PolicyResult:
    """The prepared data after what the policy says, its training rows encoded, and the record for `write`.

    Training rows or their weights may have changed; the encoded ones are the same rows in the same order. `record` is
    None where label noise was not searched for.
    """

    data: PreparedData
    encoded: Dataset
    record: dict[str, Any] | None


def apply_policy(
    cleaning: CleaningConfig,
    data: PreparedData,
    encoded: Dataset,
    features: Callable[[Dataset], np.ndarray],
    seed: int,
    ranks: Ranks,
    before: dict[str, Any] | None = None,
) -> PolicyResult:
    """Look for labels that are probably wrong and report, drop or weigh down their rows; training rows only.

    The main process searches once and sends its record to the others, so that all have the same rows and weights to
    the bit. A run that is continued gives the record that it has saved (`read`).

    Args:
        cleaning: the configuration's group.
        data: prepared.
        encoded: its training rows, encoded.
        features: gives (rows, dims) of encoded rows; called by the main process, and only without `before`.
        seed: of the folds.
        ranks: the processes.
        before: the record of the run that is continued.

    Raises:
        ConfigurationError: the labels have no classes, or cleanlab is not installed.
        DataError: a class has too few rows, or `before` is of other rows.
    """
    if cleaning.label_noise == "ignore":
        return PolicyResult(data, encoded, None)
    supported = data.label is not None and data.label.type.has_classes
    if problems := requirements.problems(cleaning, supported):
        raise ConfigurationError(problems)
    record = before if ranks.main else None
    with ranks.main_first():
        if ranks.main and record is None:
            record = search(data, features(encoded), cleaning.label_noise_folds, seed, cleaning.label_noise_share)
        if record is not None and record["fingerprint"] != data.fingerprints["train"]:
            message = f"{FILE} is of other training rows than these; set run.overwrite=true to start the run anew"
            raise DataError(message)
    record = ranks.from_main(record)
    if ranks.main:
        logger.info("label noise: %s; %s", record["words"], DONE[cleaning.label_noise])
    return PolicyResult(*_applied(cleaning.label_noise, data, encoded, record), record)


def search(
    data: PreparedData, features: np.ndarray, folds: int, seed: int, share: float | None = None
) -> dict[str, Any]:
    """Labels that are probably wrong, as plain values for JSON, from features of the training rows, (rows, dims).

    Returns:
        `suspects`: row, place in the training split (a paraphrase has its original's row), given, suggested, the
        probabilities of both, and the row's values, the likeliest to be wrong first;
        `quality`: of every training row in order, the probability of its given label; `agreement`: share of
        rows (multi-label: of labels) on which the out-of-fold prediction is the given one; `words`; `fingerprint`.
    """
    train, names = data.splits["train"], data.label_names
    labels = _labels(data)
    from tunebook.data.label_noise.probabilities import out_of_fold as held_out  # scikit-learn: only when wanted

    out_of_fold = held_out(features, labels, _inputs(data), folds, seed, names)
    ranked = suspects.find(labels, out_of_fold, share)
    predicted = out_of_fold.argmax(1) if labels.ndim == 1 else out_of_fold > 0.5
    agreement = float((predicted == labels).mean())
    rows = train[ROW][:]
    places = ranked.places.tolist()
    shown = [one.values for one in dropped_rows(train, "train", places, KIND, names)]
    listed = [
        {"row": rows[place], "place": place, **suspects.describe(labels, out_of_fold, place, names), "values": values}
        for place, values in zip(places, shown, strict=True)
    ]
    count = in_words(len(listed), len(train), "train")
    agree = f"out of fold the model's features agree with {agreement:.1%} of the labels"
    return {
        "fingerprint": data.fingerprints["train"],
        "folds": folds,
        "seed": seed,
        "share": share,
        "agreement": round(agreement, 6),
        "words": f"{count} probably labelled wrong; {agree}",
        "suspects": listed,
        "quality": [round(float(value), 6) for value in ranked.quality],
    }


def weights_of(quality: np.ndarray, own: np.ndarray | None = None) -> np.ndarray:
    """The weight of each row in the loss: the probability that its label is right, at least `FLOOR`; mean 1.

    With it the loss is what it is expected to be over the rows whose label is right: a row whose label is right
    with probability p adds p times its loss. Weights that the rows have already (`own`) are multiplied.
    """
    return scaled(np.clip(quality, FLOOR, 1.0) * (1.0 if own is None else own))


def write(folder: Path, record: dict[str, Any] | None) -> None:
    """Write the record into the run directory, whole or not at all."""
    if record is not None:
        files.write_json(folder / FILE, record)


def read(folder: Path) -> dict[str, Any] | None:
    """The record that a run has written; None where there is none."""
    return files.read_json(folder / FILE) if (folder / FILE).is_file() else None


def _applied(policy: str, data: PreparedData, encoded: Dataset, record: dict[str, Any]) -> tuple[PreparedData, Dataset]:
    train, listed = data.splits["train"], record["suspects"]
    rows = [one["row"] for one in listed]
    gone = len(rows) if policy == "drop" else 0
    finding = Finding(KIND, policy, "train", rows, [], gone, record["words"], of=len(train))
    if gone:
        places = [one["place"] for one in listed]
        left = np.setdiff1d(np.arange(len(train)), places)
        _refuse_emptied(_labels(data), left, data.label_names)
        return without_rows(data, places, finding, [_reason(one) for one in listed]), encoded.select(left)
    if rows:
        data = dataclasses.replace(data, findings=[*data.findings, finding])
    if policy == "weight":
        data = dataclasses.replace(data, weights=weights_of(np.asarray(record["quality"]), data.weights))
    return data, encoded


def _refuse_emptied(labels: np.ndarray, left: np.ndarray, names: list[str]) -> None:
    """A class whose rows are all suspects must not vanish from training without a word."""
    counts = [class_counts(some, len(names)) for some in (labels, labels[left])]
    if gone := [name for name, before, after in zip(names, *counts, strict=True) if before and not after]:
        message = f"drop leaves no training row of {', '.join(map(repr, gone))}; use weight or report"
        raise DataError(Problem("cleaning.label_noise", message))


def _labels(data: PreparedData) -> np.ndarray:
    """Of the training rows, (rows,) class ids or (rows, labels) of 0 and 1."""
    strata = data.label.strata(data.splits["train"]) if data.label else None
    if strata is None:
        raise TypeError("the labels have no classes")
    return strata


def _inputs(data: PreparedData) -> list[bytes]:
    """Of each row its input, of a paraphrase its original's: it has the same label, which it would show."""
    train = data.splits["train"]
    first: dict[int, bytes] = {}
    inputs = fingerprint.inputs(train, {data.label.role} if data.label else set())
    return [first.setdefault(row, digest.tobytes()) for row, digest in zip(train[ROW][:], inputs, strict=True)]


def _reason(suspect: dict[str, Any]) -> str:
    how = "probably" if suspect["probability_suggested"] > suspect["probability_given"] else "perhaps"
    return (
        f"{KIND}: labelled {suspect['given']}, {how} {suspect['suggested']} "
        f"(p={suspect['probability_given']:.2f} against {suspect['probability_suggested']:.2f})"
    )
