"""Taking layers out, drawing layers and heads anew: what changes, what does not, and what is refused."""

from __future__ import annotations

import math

import pytest
import torch
import transformers
from torch import nn
from transformers import AutoConfig, AutoModel, BartConfig, SwinConfig

from tests.tiny import FAMILIES, HEADS, LABELS, LAYERS, auto_class, model_config
from tunebook.errors import ModelError
from tunebook.models import reinitialize
from tunebook.models.depth import find_depth
from tunebook.models.drop_layers import drop_layers
from tunebook.models.load import load_model

STACKED = ["bert", "roberta", "distilbert", "modernbert", "vit", "gpt2"]
COUNTED = {"distilbert": "n_layers", "gpt2": "n_layer"}


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """The folder of a family's whole classifier, every weight and statistic moved off its initial value."""
    from tests.tiny import tiny_model

    root = tmp_path_factory.mktemp("moved")

    def folder(family):
        path = root / family
        if not path.exists():
            tiny_model(family, path)
            model = load_model(model_config(name_or_path=path), auto_class(family), LABELS).model
            generator = torch.Generator().manual_seed(3)
            with torch.no_grad():
                for tensor in [*model.parameters(), *(b for n, b in model.named_buffers() if "running" in n)]:
                    tensor.add_(torch.rand(tensor.shape, generator=generator) * 0.1)
            model.save_pretrained(path)
        return path

    return folder


def load(folder, family, seed=1, labels=LABELS, **settings):
    kept = "single_label_classification" if len(labels) > 1 else "regression"
    return load_model(model_config(name_or_path=folder, **settings), auto_class(family), labels, kept, seed)


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def changed(before, after):
    assert before.keys() == after.keys()
    return {name for name in before if not torch.equal(before[name], after[name])}


# ---- the default path ----


@pytest.mark.parametrize("family", FAMILIES)
def test_without_any_of_it_the_weights_are_those_of_transformers(saved, family):
    config = AutoConfig.from_pretrained(saved(family), id2label=dict(enumerate(LABELS)))
    transformers.set_seed(7)
    plain = getattr(transformers, auto_class(family)).from_pretrained(saved(family), config=config)
    ours = load(saved(family), family, seed=7).model
    assert type(ours) is type(plain)
    assert changed(weights(plain), weights(ours)) == set()


# ---- taking out ----


@pytest.mark.parametrize("family", STACKED)
def test_what_is_left_answers_as_a_model_whose_layers_were_cut_by_hand(moved, batch, family, tmp_path):
    whole = load(moved(family), family).model.eval()
    cut = load(moved(family), family, drop_layers=2).model.eval()
    assert len(find_depth(cut).layers) == cut.config.num_hidden_layers == LAYERS - 2
    first, *_ = find_depth(whole).layer_modules
    stack = whole.get_submodule(first.rpartition(".")[0])
    del stack[LAYERS - 2 :]
    inputs = batch(family)
    assert torch.allclose(cut(**inputs)["logits"], whole(**inputs)["logits"], atol=1e-6)
    left = weights(whole)
    assert all(torch.equal(value, left[name]) for name, value in weights(cut).items())

    cut.save_pretrained(tmp_path)
    assert AutoConfig.from_pretrained(tmp_path).to_dict()[COUNTED.get(family, "num_hidden_layers")] == LAYERS - 2
    again, said = type(cut).from_pretrained(tmp_path, output_loading_info=True)
    assert not said["missing_keys"]
    assert not said["unexpected_keys"]
    assert changed(weights(cut), weights(again)) == set()
    assert torch.allclose(again.eval()(**inputs)["logits"], cut(**inputs)["logits"], atol=1e-6)


def test_lists_of_layers_are_cut_too(moved):
    cut = load(moved("modernbert"), "modernbert", drop_layers=3).model
    whole = AutoConfig.from_pretrained(moved("modernbert"))
    assert len(whole.layer_types) == LAYERS
    assert cut.config.layer_types == whole.layer_types[:1]


SMALL = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2}


@pytest.mark.parametrize(
    "config",
    [
        AutoConfig.for_model("dinov2", **SMALL, image_size=28),
        AutoConfig.for_model("longformer", **SMALL, intermediate_size=16, vocab_size=20, attention_window=[4, 4, 4]),
    ],
    ids=lambda config: config.model_type,
)
def test_settings_that_name_each_layer_follow(config):
    assert drop_layers(config, 1, AutoModel) == "the top 1 of 3 layers are taken out"
    again = type(config).from_dict(config.to_dict())
    assert len(find_depth(AutoModel.from_config(again)).layers) == again.num_hidden_layers == 2
    assert getattr(again, "stage_names", ["stem", "stage1", "stage2"]) == ["stem", "stage1", "stage2"]
    assert getattr(again, "out_features", ["stage2"]) == ["stage2"]
    assert getattr(again, "attention_window", [4, 4]) == [4, 4]


@pytest.mark.parametrize("family", STACKED)
def test_at_least_one_layer_stays(moved, family):
    with pytest.raises(ModelError, match=rf"model\.drop_layers +is {LAYERS}, but .* at most {LAYERS - 1}"):
        load(moved(family), family, drop_layers=LAYERS)


@pytest.mark.parametrize("config", [
    AutoConfig.for_model("resnet", embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1]),
    AutoConfig.for_model("albert", embedding_size=8, hidden_size=8, num_attention_heads=2, vocab_size=20),
    BartConfig(vocab_size=20, d_model=8, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
               decoder_attention_heads=2, encoder_ffn_dim=8, decoder_ffn_dim=8),
    SwinConfig(image_size=32, embed_dim=8, depths=[1, 1], num_heads=[1, 2]),
    AutoConfig.for_model("convnext", hidden_sizes=[8, 16], depths=[1, 1], num_stages=2),
], ids=lambda config: config.model_type)  # fmt: skip
def test_layers_that_cannot_be_taken_out_are_refused(config):
    with pytest.raises(ModelError, match=rf"layers cannot be taken out of {config.model_type}; set it to 0"):
        drop_layers(config, 1, AutoModel)


# ---- drawing layers anew ----


@pytest.mark.parametrize("family", [*FAMILIES, "gpt2"])
@pytest.mark.parametrize("count", [1, 2])
def test_only_the_named_layers_are_initialized(moved, family, count):
    before = load(moved(family), family).model
    loaded = load(moved(family), family, reinit_layers=count)
    parameters = {name for layer in find_depth(before).layers[-count:] for name in layer.parameter_names}
    assert set(loaded.reinitialized) == parameters
    statistics = {
        name
        for name, _ in before.named_buffers()
        if family == "resnet" and "running" in name and any(f"stages.{4 - at}." in name for at in range(1, count + 1))
    }
    assert changed(weights(before), weights(loaded.model)) == parameters | statistics


def test_the_pooler_counts_as_a_part_of_the_last_layer(moved):
    assert "bert.pooler.dense.weight" in load(moved("bert"), "bert", reinit_layers=1).reinitialized


@pytest.mark.parametrize("family", [family for family in STACKED if family != "modernbert"])
def test_they_are_initialized_as_the_architecture_does(moved, family):
    model = load(moved(family), family, reinit_layers=2).model
    by_name = dict(model.named_parameters())
    drawn = {name: by_name[name] for layer in find_depth(model).layers[-2:] for name in layer.parameter_names}
    spread = model.config.initializer_range
    for name, parameter in drawn.items():
        if name.endswith("bias"):
            assert torch.equal(parameter, torch.zeros_like(parameter)), name
        elif parameter.dim() == 1:
            assert torch.equal(parameter, torch.ones_like(parameter)), name
        else:
            residual = family == "gpt2" and "c_proj" in name
            expected = spread / math.sqrt(2 * LAYERS) if residual else spread
            assert parameter.std().item() == pytest.approx(expected, rel=0.1), name
            assert abs(parameter.mean().item()) < spread / 5


def test_a_layer_is_initialized_alike_by_one_seed_whatever_else_is_asked_for(moved):
    def top(**settings):
        settings = {"reinit_layers": 1, **settings}
        model = load(moved("bert"), "bert", **settings).model
        names = [name for name in find_depth(model).layers[-1].parameter_names if "pooler" not in name]
        return torch.cat([model.get_parameter(name).flatten() for name in names])

    reference = top()
    for settings in (
        {"reinit_layers": 3},
        {"init": "default", "labels": ["a", "b"]},
        {"dropout": {"hidden_dropout_prob": 0.3}},
    ):
        assert torch.equal(top(**settings), reference)
    assert torch.equal(top(drop_layers=1), reference)
    assert not torch.equal(top(seed=2), reference)
    assert not torch.equal(reference, torch.zeros_like(reference))


def test_nothing_else_notices_that_layers_were_reinitialized(moved):
    states = []
    for count in (0, 2):
        load(moved("bert"), "bert", reinit_layers=count)
        states.append(torch.get_rng_state())
    assert torch.equal(*states)
    head = [load(moved("bert"), "bert", labels=["a", "b"], reinit_layers=n).model.classifier.weight for n in (0, 2)]
    assert torch.equal(*head)


def test_more_layers_than_there_are(moved):
    with pytest.raises(
        ModelError, match=rf"model\.reinit_layers +is 5, but bert has {LAYERS} layers; at most {LAYERS}"
    ):
        load(moved("bert"), "bert", reinit_layers=LAYERS + 1)


def test_weights_that_the_architecture_does_not_draw_are_told(moved):
    model = load(moved("bert"), "bert").model
    model.bert.encoder.layer[-1].scale = nn.Parameter(torch.ones(3))
    with pytest.raises(ModelError, match=r"no initialisation of its own for bert\.encoder\.layer\.3\.scale"):
        reinitialize.reinit_layers(model, 1, seed=1)


def test_reinitialized_layers_must_train(moved):
    loaded = load(moved("bert"), "bert", reinit_layers=1)
    names = {name for name, _ in loaded.model.named_parameters()}
    reinitialize.require_trained(loaded.model, loaded.reinitialized, names)
    biases_frozen = {name for name in names if not name.endswith("bias")}
    reinitialize.require_trained(loaded.model, loaded.reinitialized, biases_frozen)
    with pytest.raises(ModelError, match=r"bert\.pooler\.dense\.weight, which stay frozen"):
        reinitialize.require_trained(loaded.model, loaded.reinitialized, names - {"bert.pooler.dense.weight"})


# ---- drawing the head ----


@pytest.mark.parametrize("family", [*FAMILIES, "gpt2"])
@pytest.mark.parametrize("how", ["normal", "xavier", "kaiming", "zeros"])
def test_a_new_head_is_initialized_as_asked_and_nothing_else_moves(saved, family, how):
    default = load(saved(family), family)
    drawn = load(saved(family), family, init=how)
    new = set(drawn.head_report.new)
    assert new == {name for name in new if name.split(".")[0] in HEADS[family]}
    assert changed(weights(default.model), weights(drawn.model)) <= new
    matrices = [drawn.model.get_parameter(name) for name in drawn.head_report.new if name.endswith("weight")]
    for name in drawn.head_report.new:
        if name.endswith("bias"):
            assert not drawn.model.get_parameter(name).any()
    last = matrices[-1]
    out, into = last.shape
    if how == "zeros":
        assert not last.any()
        assert all(matrix.any() for matrix in matrices[:-1])
    elif how == "normal":
        assert last.std().item() == pytest.approx(getattr(default.model.config, "initializer_range", 0.02), rel=0.3)
    else:
        bound = math.sqrt(6 / (into + out)) if how == "xavier" else math.sqrt(6 / into)
        assert 0.9 * bound < last.abs().max().item() <= bound


def test_the_head_is_torchs_own_draw_and_follows_the_seed(saved):
    first, again, other = (load(saved("bert"), "bert", init="xavier", seed=seed).model for seed in (1, 1, 2))
    assert torch.equal(first.classifier.weight, again.classifier.weight)
    assert not torch.equal(first.classifier.weight, other.classifier.weight)
    with reinitialize._seeded(1, "head"):
        expected = nn.init.xavier_uniform_(torch.empty(3, 32))
    assert torch.equal(first.classifier.weight, expected)


def test_a_head_from_the_checkpoint_is_not_overwritten(moved):
    with pytest.raises(ModelError, match=r"model\.init +is zeros, but the whole head came from the checkpoint"):
        load(moved("bert"), "bert", init="zeros")


def test_what_was_done_is_said(moved, said):
    load(moved("bert"), "bert", labels=["a", "b"], drop_layers=1, reinit_layers=1, init="zeros")
    for words in (
        "the top 1 of 4 layers are taken out",
        "reinitialized: the top layer",
        "the head is initialized by zeros",
    ):
        assert words in said()
