"""One image, one label a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tunebook.errors import DataError, Problem
from tunebook.tasks import _one_label
from tunebook.tasks.base import TaskOptions

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from transformers import BaseImageProcessor

    from tunebook.config.schema import ModelConfig

ROLES = {"image": True, "label": True}


class Options(TaskOptions):
    """Image classification has no settings of its own: size and colours are the image processor's."""


class Task:
    """Image classification with `AutoModelForImageClassification`."""

    auto_class = "AutoModelForImageClassification"
    problem_type = "single_label_classification"
    pipeline = "image-classification"
    loss_sum = staticmethod(_one_label.loss_sum)
    row_scores = staticmethod(_one_label.row_scores)

    def __init__(self, options: Options) -> None:
        self.options = options

    def load_processor(self, model: ModelConfig) -> BaseImageProcessor:
        """The model's image processor."""
        from tunebook.modeling.processor import load_image_processor

        return load_image_processor(model)

    def encode(self, split: Dataset, processor: BaseImageProcessor, model: Any) -> Dataset:
        """Pixel values, `labels` and `row`, decoded when a row is asked for, so that memory stays small."""
        mode = "L" if getattr(model.config, "num_channels", 3) == 1 else "RGB"

        def pixels(rows: dict[str, list[Any]]) -> dict[str, Any]:
            images = [image.convert(mode) for image in rows["image"]]
            values = processor(images=images, return_tensors="pt")["pixel_values"]
            return {"pixel_values": list(values), "labels": rows["label"], "row": rows["row"]}

        return split.with_transform(pixels)

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
            return {
                "pixel_values": torch.stack([row["pixel_values"] for row in rows]),
                "labels": torch.tensor([row["labels"] for row in rows], dtype=torch.long),
                "row": torch.tensor([row["row"] for row in rows], dtype=torch.long),
            }

        return collate
