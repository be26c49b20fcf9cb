"""The loss that the task's kind of label has of itself: which one, the answer says (`tunebook.answers`)."""

from __future__ import annotations

from tunebook.training.losses.base import LossOptions

LABELS = {"class", "classes", "number"}


class Options(LossOptions):
    """Nothing to set."""
