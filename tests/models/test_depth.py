"""Depth: every family's groups, each parameter once."""

from __future__ import annotations

from collections import Counter

import pytest
import transformers
from torch import nn
from transformers import AutoConfig

from tests.tiny import ALL_FAMILIES, TEXT
from tunebook.config import registry
from tunebook.errors import FreezingError
from tunebook.models.depth import find_depth
from tunebook.models.freezing import freeze

# Family: embeddings, the stack's name, number of layers, what belongs to the last layer beside it, head.
EXPECTED = {
    "bert": ("bert.embeddings.", "bert.encoder.layer", 4, ("bert.pooler.",), ("classifier.",)),
    "distilbert": (
        "distilbert.embeddings.",
        "distilbert.transformer.layer",
        4,
        (),
        ("pre_classifier.", "classifier."),
    ),
    "roberta": ("roberta.embeddings.", "roberta.encoder.layer", 4, (), ("classifier.",)),
    "modernbert": ("model.embeddings.", "model.layers", 4, ("model.final_norm.",), ("head.", "classifier.")),
    "gpt2": (
        ("transformer.wte.", "transformer.wpe."),
        "transformer.h",
        4,
        ("transformer.ln_f.",),
        ("score.",),
    ),
    "vit": ("vit.embeddings.", "vit.layers", 4, ("vit.layernorm.",), ("classifier.",)),
    "resnet": ("resnet.embedder.", "resnet.encoder.stages", 4, (), ("classifier.",)),
    "mobilenet_v2": (
        "mobilenet_v2.conv_stem.",
        "mobilenet_v2.layer",
        16,
        ("mobilenet_v2.conv_1x1.",),
        ("classifier.",),
    ),
}


def test_expectations_are_for_every_family():
    assert set(EXPECTED) == set(ALL_FAMILIES)


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_groups_cover_every_parameter_once(family, build):
    model = build(family)
    counted = Counter(name for group in find_depth(model).groups for name in group.parameter_names)
    assert counted == Counter(name for name, _ in model.named_parameters())


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_groups_by_name(family, build):
    embeddings, stack, count, behind, head = EXPECTED[family]
    model = build(family)
    depth = find_depth(model)
    assert [group.name for group in depth.groups] == [
        "embeddings",
        *(f"layer {n}" for n in range(count)),
        "head",
    ]
    assert depth.layer_modules == tuple(f"{stack}.{n}" for n in range(count))
    for number, group in enumerate(depth.layers):
        allowed = (f"{stack}.{number}.", *(behind if number == count - 1 else ()))
        assert group.parameter_names
        assert all(name.startswith(allowed) for name in group.parameter_names)
    for prefix in behind:
        assert any(name.startswith(prefix) for name in depth.layers[-1].parameter_names)
    assert depth.embeddings.parameter_names
    assert all(name.startswith(embeddings) for name in depth.embeddings.parameter_names)
    assert depth.head.parameter_names
    assert all(name.startswith(head) for name in depth.head.parameter_names)


SMALL = {"vocab_size": 50, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24}
OTHERS = {
    "llama": {**SMALL, "num_hidden_layers": 3, "num_key_value_heads": 2, "pad_token_id": 0},
    "deberta-v2": {**SMALL, "num_hidden_layers": 3, "relative_attention": True, "position_buckets": 8},
    "albert": {**SMALL, "num_hidden_layers": 3, "embedding_size": 16},
    "convnext": {"hidden_sizes": [8, 8, 16], "depths": [1, 1, 1], "num_stages": 3},
    "swin": {"embed_dim": 8, "depths": [1, 1, 1], "num_heads": [1, 1, 1], "image_size": 32, "window_size": 2},
}


@pytest.mark.parametrize("model_type", OTHERS)
def test_further_architectures(model_type):
    auto = transformers.AutoModelForImageClassification
    if "vocab_size" in OTHERS[model_type]:
        auto = transformers.AutoModelForSequenceClassification
    model = auto.from_config(AutoConfig.for_model(model_type, **OTHERS[model_type]))
    depth = find_depth(model)
    # ALBERT's layers share their weights: one layer.
    assert len(depth.layers) == (1 if model_type == "albert" else 3)
    counted = Counter(name for group in depth.groups for name in group.parameter_names)
    assert counted == Counter(name for name, _ in model.named_parameters())


def test_embedding_table_beside_the_stack_is_an_embedding():
    config = AutoConfig.for_model("deberta-v2", **OTHERS["deberta-v2"])
    depth = find_depth(transformers.AutoModelForSequenceClassification.from_config(config))
    assert "deberta.encoder.rel_embeddings.weight" in depth.embeddings.parameter_names


def test_encoder_and_decoder_follow_each_other():
    config = AutoConfig.for_model(
        "bart",
        vocab_size=50,
        d_model=16,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=24,
        decoder_ffn_dim=24,
        max_position_embeddings=16,
    )
    depth = find_depth(transformers.AutoModelForSeq2SeqLM.from_config(config))
    assert [name.removeprefix("model.") for name in depth.layer_modules] == [
        "encoder.layers.0",
        "encoder.layers.1",
        "decoder.layers.0",
        "decoder.layers.1",
    ]


def test_tied_parameters_count_once_and_in_the_backbone():
    config = AutoConfig.for_model("gpt2", vocab_size=50, **TEXT["gpt2"])
    depth = find_depth(transformers.AutoModelForCausalLM.from_config(config))
    assert depth.head.parameter_names == ()
    assert "transformer.wte.weight" in depth.embeddings.parameter_names


@pytest.mark.parametrize(("policy", "options"), [("embeddings", {}), ("first_n", {"n": 0}), ("last_n", {"n": 1})])
def test_without_a_stack_counting_layers_says_to_use_patterns(policy, options):
    module = registry.load("policy", policy)
    with pytest.raises(FreezingError, match="freezing=patterns"):
        module.rules(find_depth(Stackless()), module.Options(**options))


@pytest.mark.parametrize("policy", ["none", "patterns", "head_only"])
def test_without_a_stack_the_other_policies_work(policy):
    module, model = registry.load("policy", policy), Stackless()
    freeze(model, module.rules(find_depth(model), module.Options()))
    assert model.head.weight.requires_grad
    assert model.base_model.weight.requires_grad == (policy != "head_only")


class Stackless(nn.Module):
    """A backbone without layers, and a head."""

    def __init__(self):
        super().__init__()
        self.base_model = nn.Linear(2, 2)
        self.head = nn.Linear(2, 2)
