"""One image: one label a row, or with `multi_label` any number of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tunebook.data.columns import Column
from tunebook.errors import DataError, Problem
from tunebook.tasks._labels import CAPABILITIES, LabelOptions, answer_of, labels_of
from tunebook.tasks.base import beside

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from transformers import BaseImageProcessor, PreTrainedConfig

    from tunebook.config.schema import ModelConfig

ROLES = {"image": Column("image"), "label": Column("label", target=True)}


class Options(LabelOptions):
    """What is answered (see `LabelOptions`); size and colours are the image processor's."""


class Task:
    """Image classification with `AutoModelForImageClassification`."""

    auto_class = "AutoModelForImageClassification"
    pipeline = "image-classification"
    capabilities = CAPABILITIES

    def __init__(self, options: Options) -> None:
        self.options = options
        self.answer = answer_of(options)
        self.labels = labels_of(options)
        self.target_type = self.labels.name
        self.columns = {**ROLES, "label": Column("labels" if options.multi_label else "label", target=True)}

    def load_processor(self, model: ModelConfig) -> BaseImageProcessor:
        """The model's image processor."""
        from tunebook.models.processor import load_image_processor

        return load_image_processor(model)

    def encode(self, split: Dataset, processor: BaseImageProcessor, model: Any) -> Dataset:
        """Pixel values, `labels` and `row`, decoded when a row is asked for, so that memory stays small."""
        config = model.config
        return split.with_transform(lambda rows: self.encode_rows(rows, processor, config))

    def encode_rows(
        self, rows: dict[str, list[Any]], processor: BaseImageProcessor, config: PreTrainedConfig
    ) -> dict[str, Any]:
        """Pixel values in the colours that the model takes, `labels` and `row`."""
        mode = "L" if getattr(config, "num_channels", 3) == 1 else "RGB"
        images = [image.convert(mode) for image in rows["image"]]
        values = processor(images=images, return_tensors="pt")["pixel_values"]
        return {"pixel_values": list(values), "labels": rows["label"], "row": rows["row"]}

    def collator(self, processor: BaseImageProcessor) -> Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]]:
        """Stacks images, which the processor has brought to one size.

        Raises:
            DataError: the processor left images of different sizes.
        """
        import torch

        def collate(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
            sizes = {tuple(row["pixel_values"].shape) for row in rows}
            if len(sizes) > 1:
                message = f"has no fixed size: images of one batch became {sorted(sizes)}; set size in model.processor"
                raise DataError(Problem("model.processor", message))
            return {"pixel_values": torch.stack([row["pixel_values"] for row in rows]), **beside(rows, self.answer)}

        return collate
