"""One text or a pair of texts, and a number for it: a score, a rating, how alike two texts are."""

from __future__ import annotations

<<<<<<< HEAD
from typing import Any
=======
from tunebook.answers.number import Number
from tunebook.data.labels.regression import Regression
from tunebook.tasks._text import ROLES, TextOptions, Texts
>>>>>>> w-data2

from tunebook.data.columns import Column
from tunebook.tasks._label_outputs import LabelOutputs
from tunebook.tasks._regression import RegressionOutput
from tunebook.tasks._text import TextInputs, TextOptions
from tunebook.tasks.base import Batch


CAPABILITIES = frozenset({"row_mixing", "r_drop", "augmentation", "backbone_cache"})


class Options(TextOptions):
    """How texts become tokens; see `TextOptions`."""


class Task(TextInputs, LabelOutputs):
    """Regression with `AutoModelForSequenceClassification` of one output."""

    columns = {**TextInputs.columns, "label": Column("number", target=True)}

    def __init__(self, options: Options) -> None:
<<<<<<< HEAD
        TextInputs.__init__(self, options)
        LabelOutputs.__init__(self, RegressionOutput())

    def collate(self, examples: list[dict[str, Any]], processor: Any) -> Batch:
        """Padded token ids with their numbers."""
        return {**self.collate_inputs(examples, processor), **self.collate_targets(examples)}
=======
        super().__init__(options, Number(), Regression(), CAPABILITIES)
>>>>>>> w-data2
