"""One text or a pair of texts: one label a row, or with `multi_label` any number of them."""

from __future__ import annotations

from tunebook.tasks._labels import CAPABILITIES, LabelOptions, answer_of, labels_of
from tunebook.tasks._text import ROLES, TextOptions, Texts

__all__ = ["ROLES", "Options", "Task"]


class Options(TextOptions, LabelOptions):
    """How texts become tokens, and what is answered; see `TextOptions` and `LabelOptions`."""


class Task(Texts):
    """Text classification with `AutoModelForSequenceClassification`."""

    def __init__(self, options: Options) -> None:
        super().__init__(options, answer_of(options), labels_of(options), CAPABILITIES)
