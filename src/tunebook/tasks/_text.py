"""One text or a pair of texts for `AutoModelForSequenceClassification`, whatever is answered about them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tunebook.answers.base import Answer
from tunebook.data.columns import Column, Kind
from tunebook.data.labels.base import LabelType
from tunebook.errors import ConfigurationError, Problem
from tunebook.tasks.base import TaskOptions, beside

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase

    from tunebook.config.schema import ModelConfig

logger = logging.getLogger("tunebook")

ROLES = {"text": Column("text"), "text_pair": Column("text", required=False), "label": Column("label", target=True)}

COLUMN_KINDS: dict[str, Kind] = {"multi_label": "labels", "regression": "number"}


class TextOptions(TaskOptions):
    """How texts become tokens.

    Args:
        max_length: in tokens, special ones included; longer texts are cut (of a pair, the longer one first).
        padding: `longest` of each batch, or always to `max_length`.
    """

    max_length: int = Field(default=256, ge=4)
    padding: Literal["longest", "max_length"] = "longest"


class Texts:
    """A whole task (`tunebook.tasks.base.Task`) but for what is answered.

    Args:
        options: of the texts.
        answer: the kind of label.
        labels: how the label column is read.
        capabilities: what applies to the task.
    """

    auto_class = "AutoModelForSequenceClassification"
    pipeline = "text-classification"

    def __init__(self, options: TextOptions, answer: Answer, labels: LabelType, capabilities: frozenset[str]) -> None:
        self.options, self.answer = options, answer
        self.columns = {**ROLES, "label": Column(COLUMN_KINDS.get(labels.name, "label"), target=True)}
        self.labels, self.target_type, self.capabilities = labels, labels.name, capabilities

    def load_processor(self, model: ModelConfig) -> PreTrainedTokenizerBase:
        """The model's tokenizer, which cuts at `max_length` where it is asked to cut.

        Raises:
            ConfigurationError: `max_length` is more than the model has positions for.
        """
        from tunebook.models.processor import load_tokenizer

        processor = load_tokenizer(model)
        if self.options.max_length > processor.model_max_length:
            message = f"is more than this model has positions for; at most {processor.model_max_length}"
            raise ConfigurationError(Problem("task.max_length", message))
        # Saved with the model, so that `truncation=True` later cuts where training did.
        processor.model_max_length = self.options.max_length
        return processor

    def encode(self, split: Dataset, processor: PreTrainedTokenizerBase, model: Any) -> Dataset:
        """Token ids with their length, `labels` and `row`."""
        from tunebook.models.processor import set_padding

        set_padding(model, processor)

        encoded = split.map(
            self.encode_rows,
            batched=True,
            fn_kwargs={"processor": processor, "config": None},
            remove_columns=split.column_names,
            desc="Tokenizing",
        )
        cut = sum(length == self.options.max_length for length in encoded["length"])
        if cut:
            share = cut / len(encoded)
            logger.info(
                "%d of %d rows (%.1f %%) fill max_length=%d and may be cut",
                cut,
                len(encoded),
                100 * share,
                self.options.max_length,
            )
        return encoded

    def encode_rows(
        self, rows: dict[str, list[Any]], processor: PreTrainedTokenizerBase, config: PreTrainedConfig | None
    ) -> dict[str, Any]:
        """Token ids with their length, `labels` and `row`."""
        tokens = processor(rows["text"], rows.get("text_pair"), truncation=True, max_length=self.options.max_length)
        lengths = [len(ids) for ids in tokens["input_ids"]]
        return {**tokens, "labels": rows["label"], "row": rows["row"], "length": lengths}

    def collator(self, processor: PreTrainedTokenizerBase) -> Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]]:
        """Pads each batch to its longest row (or to `max_length`)."""
        inputs = set(processor.model_input_names)

        def collate(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
            batch = processor.pad(
                [{key: row[key] for key in row if key in inputs} for row in rows],
                padding=self.options.padding,
                max_length=self.options.max_length,
                return_tensors="pt",
            )
            return {**batch, **beside(rows, self.answer)}

        return collate
