"""One text or a pair of texts, and a number for it: a score, a rating, how alike two texts are."""

from __future__ import annotations

from tunebook.answers.number import Number
from tunebook.data.labels.regression import Regression
from tunebook.tasks._text import ROLES, TextOptions, Texts

__all__ = ["ROLES", "Options", "Task"]


CAPABILITIES = frozenset({"row_mixing", "r_drop", "augmentation", "backbone_cache"})


class Options(TextOptions):
    """How texts become tokens; see `TextOptions`."""


class Task(Texts):
    """Regression with `AutoModelForSequenceClassification` of one output."""

    def __init__(self, options: Options) -> None:
        super().__init__(options, Number(), Regression(), CAPABILITIES)
