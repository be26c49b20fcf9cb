"""The settings that every classification task has: one label or several, and thresholds. Knows no inputs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal

from pydantic import ValidationInfo, field_validator

from tunebook.errors import Problem, did_you_mean
from tunebook.tasks.base import TaskOptions

Threshold = float | Literal["tuned"] | None


class LabelOptions(TaskOptions):
    """What is predicted.

    Args:
        multi_label: a row may have any number of labels, instead of one.
        threshold: the probability from which on a label is predicted. One number; or `tuned`: after training, for
            the best model, on validation: of two classes one for the positive class, of several labels one each.
            None: 0.5, or the class with the highest probability.
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


def threshold_problems(output: Any, names: Sequence[str], splits: Collection[str]) -> list[Problem]:
    """Why a threshold that the recipe asks for cannot be used with these labels and splits.

    Args:
        output: of the task, with its `threshold`, `positive` and `labels`.
        names: of the labels.
        splits: that there are.
    """
    problems = []
    if output.labels.name == "single_label" and output.threshold is not None and len(names) != 2:
        message = f"is for two classes, or for task.multi_label=true; here are {len(names)}: leave it out"
        problems.append(Problem("task.threshold", message))
    if output.positive is not None and output.positive not in names:
        message = f"the data has no label {output.positive!r}; {did_you_mean(output.positive, names)}"
        problems.append(Problem("task.positive", message))
    if output.threshold == "tuned" and "validation" not in splits:
        message = (
            "tuned needs a validation split, and there is none: give dataset.validation, carve one with "
            "dataset.split.validation=0.1, or state a number"
        )
        problems.append(Problem("task.threshold", message))
    return problems


def positive_id(output: Any, names: Sequence[str]) -> int:
    """The id of the positive class: the one that the recipe names, else the last one.

    Raises:
        ValueError: no label has that name.
    """
    return len(names) - 1 if output.positive is None else list(names).index(output.positive)
