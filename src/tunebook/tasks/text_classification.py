"""One text or a pair of texts: one label a row, or with `multi_label` any number of them."""

from __future__ import annotations

from typing import Any

from tunebook.tasks._label_outputs import LabelOutputs, output_of
from tunebook.tasks._text import TextInputs, TextOptions
from tunebook.tasks._thresholds import LabelOptions
from tunebook.tasks.base import Batch


class Options(TextOptions, LabelOptions):
    """How texts become tokens, and what is predicted; see `TextOptions` and `LabelOptions`."""


class Task(TextInputs, LabelOutputs):
    """Text classification with `AutoModelForSequenceClassification`."""

    def __init__(self, options: Options) -> None:
        TextInputs.__init__(self, options)
        LabelOutputs.__init__(self, output_of(options))

    def collate(self, examples: list[dict[str, Any]], processor: Any) -> Batch:
        """Padded token ids with their labels."""
        return {**self.collate_inputs(examples, processor), **self.collate_targets(examples)}
