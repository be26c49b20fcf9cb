"""One image: one label a row, or with `multi_label` any number of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tunebook.data.columns import Column
from tunebook.errors import DataError, Problem
from tunebook.tasks._label_outputs import LabelOutputs, output_of
from tunebook.tasks._thresholds import LabelOptions
from tunebook.tasks.base import Batch

if TYPE_CHECKING:
    from transformers import BaseImageProcessor

    from tunebook.config.schema import ModelConfig
    from tunebook.data.labels.base import Targets


class Options(LabelOptions):
    """What is predicted (see `LabelOptions`); size and colours are the image processor's."""


class Task(LabelOutputs):
    """Image classification with `AutoModelForImageClassification`; images are decoded when they are asked for."""

    columns = {"image": Column("image"), "label": Column("label", target=True)}
    auto_class = "AutoModelForImageClassification"
    pipeline: str | None = "image-classification"
    lazy = True

    def __init__(self, options: Options) -> None:
        super().__init__(output_of(options))
        self.options = options

    def load_processor(self, model: ModelConfig) -> BaseImageProcessor:
        """The model's image processor."""
        from tunebook.models.processor import load_image_processor

        return load_image_processor(model)

    def encode(self, rows: dict[str, list[Any]], processor: Any, model: Any, targets: Targets) -> dict[str, Any]:
        """Pixel values in the colours that the model takes, `labels`, `row` and `position`."""
        mode = "L" if getattr(model, "num_channels", 3) == 1 else "RGB"
        images = [image.convert(mode) for image in rows["image"]]
        values = processor(images=images, return_tensors="pt")["pixel_values"]
        kept = {"labels": rows["label"], "row": rows["row"], "position": rows["position"]}
        return {"pixel_values": list(values), **kept}

    def collate(self, examples: list[dict[str, Any]], processor: Any) -> Batch:
        """Stacks images, which the processor has brought to one size.

        Raises:
            DataError: the processor left images of different sizes.
        """
        import torch

        sizes = {tuple(example["pixel_values"].shape) for example in examples}
        if len(sizes) > 1:
            message = f"has no fixed size: images of one batch became {sorted(sizes)}; set size in model.processor"
            raise DataError(Problem("model.processor", message))
        pixels = torch.stack([example["pixel_values"] for example in examples])
        return {"pixel_values": pixels, **self.collate_targets(examples)}
