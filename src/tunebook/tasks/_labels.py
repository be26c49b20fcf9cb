"""The settings that every classification task has: one label or several, and thresholds. Knows no inputs."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationInfo, field_validator

from tunebook.answers.base import Answer, Threshold
from tunebook.answers.many_labels import ManyLabels
from tunebook.answers.one_label import OneLabel
from tunebook.tasks._previous import TaskOptions


class LabelOptions(TaskOptions):
    """What is answered.

    Args:
        multi_label: a row may have any number of labels, instead of one.
        threshold: the probability from which on a label is answered. One number; or `tuned`: after training, for
            the best model, on validation: of two classes one for the positive class, of several labels one each.
            None: 0.5, or the likeliest class.
        positive: of two classes, the one that the threshold is for; None: the last one of dataset.labels.
    """

    multi_label: bool = False
    threshold: Threshold = None
    positive: str | None = None

    @field_validator("threshold", mode="before")
    @classmethod
    def _number_or_tuned(cls, value: Any) -> Any:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is None or value == "tuned" or (number and 0 < value < 1):
            return value
        raise ValueError(f"should be a number between 0 and 1, or tuned, not {value!r}")

    @field_validator("positive")
    @classmethod
    def _of_two(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("multi_label"):
            raise ValueError("is for two classes; with task.multi_label=true every label has its own threshold")
        return value


def answer_of(options: LabelOptions) -> Answer:
    """The kind of label that the options say."""
    if options.multi_label:
        return ManyLabels(options.threshold)
    return OneLabel(options.threshold, options.positive)
