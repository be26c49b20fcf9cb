"""One text or a pair of texts, and a number for it: a score, a rating, how alike two texts are."""

from __future__ import annotations

from typing import Any

from tunebook.data.columns import Column
from tunebook.tasks._label_outputs import LabelOutputs
from tunebook.tasks._regression import RegressionOutput
from tunebook.tasks._text import TextInputs, TextOptions
from tunebook.tasks.base import Batch


class Options(TextOptions):
    """How texts become tokens; see `TextOptions`."""


class Task(TextInputs, LabelOutputs):
    """Regression with `AutoModelForSequenceClassification` of one output."""

    columns = {**TextInputs.columns, "label": Column("number", target=True)}

    def __init__(self, options: Options) -> None:
        TextInputs.__init__(self, options)
        LabelOutputs.__init__(self, RegressionOutput())

    def collate(self, examples: list[dict[str, Any]], processor: Any) -> Batch:
        """Padded token ids with their numbers."""
        return {**self.collate_inputs(examples, processor), **self.collate_targets(examples)}
