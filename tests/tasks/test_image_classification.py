import datasets
import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoConfig, AutoImageProcessor, AutoModelForImageClassification

from tests import tiny
from tunebook.data.encoding import encode_split
from tunebook.data.labels.base import Targets
from tunebook.errors import DataError
from tunebook.tasks.image_classification import Options, Task


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tiny.tiny_image_model("vit", tmp_path_factory.mktemp("vit"))
    return AutoImageProcessor.from_pretrained(folder), AutoModelForImageClassification.from_pretrained(folder)


def rows(*images):
    content = {"image": list(images), "label": [0] * len(images), "row": list(range(len(images)))}
    return datasets.Dataset.from_dict(content).cast_column("image", datasets.Image())


def test_pixels_are_those_of_the_processor(parts):
    processor, model = parts
    image = Image.fromarray(np.arange(30 * 20 * 3, dtype=np.uint8).reshape(30, 20, 3))
    encoded = encode_split(rows(image), Task(Options()), processor, model.config, Targets())
    expected = processor(images=[image], return_tensors="pt")["pixel_values"][0]
    assert torch.equal(encoded[0]["pixel_values"], expected)
    assert encoded[0]["labels"] == 0


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1"])
def test_any_colour_mode_becomes_what_the_model_takes(parts, mode):
    processor, model = parts
    encoded = encode_split(rows(Image.new(mode, (9, 9))), Task(Options()), processor, model.config, Targets())
    assert encoded[0]["pixel_values"].shape == (3, tiny.IMAGE_SIZE, tiny.IMAGE_SIZE)


def test_a_batch_stacks_images_labels_and_rows(parts):
    processor, model = parts
    task = Task(Options())
    encoded = encode_split(
        rows(Image.new("L", (8, 8)), Image.new("RGB", (40, 10), "red")), task, processor, model.config, Targets()
    )
    batch = task.collate(encoded.__getitems__([0, 1]), processor)
    assert batch["pixel_values"].shape == (2, 3, tiny.IMAGE_SIZE, tiny.IMAGE_SIZE)
    assert batch["row"].tolist() == [0, 1]


def test_a_processor_that_leaves_sizes_as_they_are_is_told(parts):
    processor, _ = parts
    one, other = (torch.zeros(3, size, size) for size in (8, 9))
    batch = [{"pixel_values": one, "labels": 0, "row": 0}, {"pixel_values": other, "labels": 0, "row": 1}]
    with pytest.raises(DataError, match="model.processor.*no fixed size"):
        Task(Options()).collate(batch, processor)


def test_one_channel_models_get_grey_images(parts):
    processor, _ = parts
    config = AutoConfig.for_model("vit", **{**tiny.IMAGE["vit"], "num_channels": 1})
    model = AutoModelForImageClassification.from_config(config)
    encoded = encode_split(
        rows(Image.new("RGB", (8, 8), "red")), Task(Options()), _grey(processor), model.config, Targets()
    )
    assert encoded[0]["pixel_values"].shape[0] == 1


def _grey(processor):
    # A grey processor keeps one channel: no conversion to RGB, one mean and deviation.
    return type(processor)(size=processor.size, do_convert_rgb=False, image_mean=[0.5], image_std=[0.5])
