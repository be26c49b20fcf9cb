"""One text or a pair of texts as the model's input, whatever is predicted of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tunebook.data.columns import Column
from tunebook.errors import ConfigurationError, Problem
from tunebook.tasks.base import Batch, TaskOptions

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from tunebook.config.schema import ModelConfig
    from tunebook.data.labels.base import Targets


class TextOptions(TaskOptions):
    """How texts become tokens.

    Args:
        max_length: in tokens, special ones included; longer texts are cut (of a pair, the longer one first).
        padding: `longest` of each batch, or always to `max_length`.
    """

    max_length: int = Field(default=256, ge=4)
    padding: Literal["longest", "max_length"] = "longest"


class TextInputs:
    """The half of a task (`tunebook.tasks.base.Task`) in front of the model.

    Args:
        options: of the texts.
    """

    columns: Mapping[str, Column] = {
        "text": Column("text"),
        "text_pair": Column("text", required=False),
        "label": Column("label", target=True),
    }
    auto_class = "AutoModelForSequenceClassification"
    pipeline: str | None = "text-classification"
    lazy = False

    def __init__(self, options: TextOptions) -> None:
        self.options = options

    def load_processor(self, model: ModelConfig) -> PreTrainedTokenizerBase:
        """The model's tokenizer, which cuts at `max_length` where it is asked to cut.

        Raises:
            ConfigurationError: `max_length` is more than the model has positions for.
        """
        return tokenizer_for(model, self.options.max_length)

    def encode(self, rows: dict[str, list[Any]], processor: Any, model: Any, targets: Targets) -> dict[str, Any]:
        """Token ids with their length, `labels`, `row` and `position`."""
        tokens = processor(rows["text"], rows.get("text_pair"), truncation=True, max_length=self.options.max_length)
        lengths = [len(ids) for ids in tokens["input_ids"]]
        kept = {"labels": rows["label"], "row": rows["row"], "position": rows["position"]}
        return {**tokens, **kept, "length": lengths}

    def collate_inputs(self, examples: list[dict[str, Any]], processor: Any) -> Batch:
        """Pads each batch to its longest row (or to `max_length`)."""
        return padded(examples, processor, self.options.padding, self.options.max_length)


def tokenizer_for(model: ModelConfig, max_length: int) -> PreTrainedTokenizerBase:
    """The model's tokenizer, with `max_length` as the length at which it cuts, for every later use too.

    Raises:
        ConfigurationError: the model has fewer positions.
    """
    from tunebook.models.processor import load_tokenizer

    processor = load_tokenizer(model)
    if max_length > processor.model_max_length:
        message = f"is more than this model has positions for; at most {processor.model_max_length}"
        raise ConfigurationError(Problem("task.max_length", message))
    processor.model_max_length = max_length
    return processor


def padded(
    examples: list[dict[str, Any]], processor: Any, padding: str = "longest", length: int | None = None
) -> Batch:
    """The model's inputs of some examples, each padded to the longest one or to `length`."""
    names = set(processor.model_input_names)
    inputs = [{name: example[name] for name in example if name in names} for example in examples]
    return dict(processor.pad(inputs, padding=padding, max_length=length, return_tensors="pt"))
