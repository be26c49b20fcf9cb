"""The loss that the task's kind of label has of itself: which one, the answer says (`tunebook.answers`)."""

from __future__ import annotations

from tunebook.training.losses.base import LossOptions

TARGETS = {"single_label", "multi_label", "regression"}


class Options(LossOptions):
    """Nothing to set."""
