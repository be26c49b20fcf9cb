"""Tokenizers and image processors: loaded, built, and what is told when there is none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import PreTrainedTokenizerFast

from tests.tiny import IMAGE, TEXT, auto_class, model_config, tiny_tokenizer
from tunebook.errors import ModelError
from tunebook.models.load import load_model
from tunebook.models.processor import load_image_processor, load_tokenizer, set_padding

BUILT = {
    "image_processor_type": "ViTImageProcessor",
    "size": {"height": 32, "width": 32},
    "image_mean": [0.5] * 3,
}


@pytest.mark.parametrize("family", TEXT)
def test_saved_tokenizer_fits_its_model(family, saved):
    config = model_config(name_or_path=saved(family))
    tokenizer = load_tokenizer(config)
    model = load_model(config, auto_class(family), ["a", "b"]).model.eval()
    set_padding(model, tokenizer)
    batch = tokenizer(["a great film", "the plot is thin and the jokes are bad"], padding=True, return_tensors="pt")
    assert batch["input_ids"][0, 0] == tokenizer.cls_token_id
    assert batch["input_ids"][0, -1] == tokenizer.pad_token_id
    assert tokenizer.unk_token_id not in batch["input_ids"]
    names = {"input_ids", "attention_mask"}
    assert model(**{name: batch[name] for name in names}).logits.shape == (2, 2)


def test_missing_tokenizer_is_an_error(saved):
    with pytest.raises(ModelError, match="save_pretrained"):
        load_tokenizer(model_config(name_or_path=saved("bert").parent / "bare"))


@pytest.fixture(autouse=True)
def bare(saved):
    """A model without tokenizer and image processor."""
    folder = saved("bert").parent / "bare"
    folder.mkdir(exist_ok=True)
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_bytes((saved("bert") / name).read_bytes())
    return folder


def test_padding_falls_back_to_the_end_token(saved, tmp_path, said):
    backend = tiny_tokenizer().backend_tokenizer
    PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="[SEP]").save_pretrained(tmp_path)
    model = load_model(model_config(name_or_path=saved("gpt2")), auto_class("gpt2"), ["a", "b"]).model
    model.config.pad_token_id = None
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((saved("gpt2") / name).read_bytes())
    tokenizer = load_tokenizer(model_config(name_or_path=tmp_path))
    set_padding(model, tokenizer)
    assert tokenizer.pad_token == "[SEP]"
    assert model.config.pad_token_id == tokenizer.eos_token_id == 3
    assert "no padding token" in said()


def test_tokenizer_without_any_padding(bare):
    PreTrainedTokenizerFast(tokenizer_object=tiny_tokenizer().backend_tokenizer).save_pretrained(bare)
    config = (bare / "tokenizer_config.json").read_text()
    assert "eos_token" not in config
    try:
        with pytest.raises(ModelError, match="neither a padding nor an end-of-text token"):
            load_tokenizer(model_config(name_or_path=bare))
    finally:
        for file in bare.glob("tokenizer*"):
            file.unlink()


def test_tokenizer_of_another_model(saved):
    model = load_model(model_config(name_or_path=saved("bert")), auto_class("bert"), ["a", "b"]).model
    tokenizer = load_tokenizer(model_config(name_or_path=saved("bert")))
    tokenizer.add_tokens(["one", "two"])
    with pytest.raises(ModelError, match="do not belong together"):
        set_padding(model, tokenizer)


def test_a_model_from_scratch_has_no_tokenizer():
    with pytest.raises(ModelError, match="has no tokenizer"):
        load_tokenizer(model_config(config={"model_type": "bert"}))


@pytest.mark.parametrize("family", IMAGE)
def test_saved_image_processor_fits_its_model(family, saved):
    config = model_config(name_or_path=saved(family))
    processor = load_image_processor(config)
    images = [Image.fromarray(np.full((20, 30, 3), value, dtype=np.uint8)) for value in (0, 255)]
    pixels = processor(images, return_tensors="pt")["pixel_values"]
    assert pixels.shape == (2, 3, 16, 16)
    assert pixels.min() == -1
    assert pixels.max() == 1
    model = load_model(config, auto_class(family), ["a", "b"]).model.eval()
    assert model(pixel_values=pixels).logits.shape == (2, 2)


def test_described_image_processor(tmp_path):
    settings = model_config(config={"model_type": "resnet"}, processor=BUILT)
    processor = load_image_processor(settings)
    assert type(processor).__name__ == "ViTImageProcessorPil"
    pixels = processor(Image.new("RGB", (8, 8)), return_tensors="pt")["pixel_values"]
    assert pixels.shape == (1, 3, 32, 32)
    # What is saved with the model gives the same pixels when it is loaded again.
    processor.save_pretrained(tmp_path)
    again = load_image_processor(model_config(name_or_path=tmp_path))
    assert torch.equal(again(Image.new("RGB", (8, 8)), return_tensors="pt")["pixel_values"], pixels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_processor_type": "ViTImagProcessor"}, "did you mean ViTImageProcessor"),
        ({"image_processor_type": None}, "no image processor None"),
        ({"image_means": [0.5]}, "did you mean image_mean"),
    ],
)
def test_described_image_processor_mistakes(changes, message):
    with pytest.raises(ModelError, match=message):
        load_image_processor(model_config(config={"model_type": "resnet"}, processor={**BUILT, **changes}))


def test_missing_image_processor(bare):
    with pytest.raises(ModelError, match="model.processor can describe one"):
        load_image_processor(model_config(name_or_path=bare))
    with pytest.raises(ModelError, match="describe one in model.processor"):
        load_image_processor(model_config(config={"model_type": "resnet"}))
