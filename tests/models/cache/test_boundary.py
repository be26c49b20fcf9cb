"""Where the frozen part of a model ends, for every family, and when there is no such place."""

import pytest
import torch

from tests.models.cache.conftest import IMAGE, TEXT
from tunebook.models.cache.boundary import boundaries
from tunebook.models.cache.not_cacheable import NotCacheable
from tunebook.models.cache.shapes import Dimension
from tunebook.models.cache.validation import validate
from tunebook.models.freezing import frozen_modules

HEAD = {
    "bert": "dropout", "roberta": "classifier.dropout", "distilbert": "pre_classifier", "modernbert": "head.dense",
    "gpt2": "score", "llama": "score", "qwen3": "score", "electra": "classifier.dropout", "albert": "dropout",
    "deberta-v2": "pooler.dropout", "vit": "classifier", "resnet": "classifier.0", "mobilenet_v2": "dropout",
    "swin": "classifier", "convnext": "classifier",
}  # fmt: skip
HALF = {
    "bert": "bert.encoder.layer.2", "roberta": "roberta.encoder.layer.2",
    "distilbert": "distilbert.transformer.layer.2",
    "modernbert": "model.layers.2", "gpt2": "transformer.h.2", "llama": "model.layers.2", "qwen3": "model.layers.2",
    "electra": "electra.encoder.layer.2", "deberta-v2": "deberta.encoder.layer.2", "vit": "vit.layers.2",
    "resnet": "resnet.encoder.stages.2", "mobilenet_v2": "mobilenet_v2.layer.8", "swin": "swin.encoder.layers.1",
    "convnext": "convnext.encoder.stages.2",
}  # fmt: skip
FIRST = {
    "bert": "bert.encoder.layer.0.attention.self.query.weight",
    "gpt2": "transformer.h.0.ln_1.weight",
    "vit": "vit.layers.0.layernorm_before.weight",
    "resnet": "resnet.encoder.stages.0.layers.0.layer.0.convolution.weight",
}
DECODERS = {"gpt2", "llama", "qwen3"}


def test_every_family_is_named():
    assert HEAD.keys() == (TEXT.keys() | IMAGE.keys()) - {"t5"}
    assert HALF.keys() == HEAD.keys() - {"albert"}


@pytest.mark.parametrize("family", HEAD)
def test_a_frozen_backbone_ends_where_the_head_begins(case, family):
    found, placeholders = (made := case(family, "head")).proved()
    assert found.module == HEAD[family]
    assert found.layers == made.depth.layer_modules
    # A decoder's head answers at the last token of its own, which it finds by the tokens.
    assert found.by_token == (family in DECODERS)
    assert (placeholders is None) == (family in DECODERS)
    backbone = {name for name, _ in found.skipped}
    assert len(backbone) == 1
    assert next(iter(backbone)) == made.model.base_model_prefix


@pytest.mark.parametrize("family", HALF)
def test_half_a_backbone_ends_at_a_layer(case, family):
    found, _ = (made := case(family, "half")).proved()
    assert found.module == HALF[family]
    assert found.module in made.depth.layer_modules
    assert found.by_token == (family in TEXT)
    assert set(found.layers) < {name for name, _ in found.skipped}
    assert not any(name.startswith(found.module) for name, _ in found.skipped)


@pytest.mark.parametrize("family", FIRST)
def test_embeddings_alone_are_not_worth_it(case, family):
    made = case(family, "layers")
    first = FIRST[family]
    with pytest.raises(NotCacheable, match=f"^no layer is frozen in front of {first}, which trains$"):
        made.proved()


def test_layers_that_are_one_and_the_same_have_nothing_in_front(case):
    with pytest.raises(NotCacheable, match="no layer is frozen in front of albert.encoder"):
        case("albert", "half").proved()


def test_an_encoder_with_a_decoder_is_refused(case):
    with pytest.raises(NotCacheable, match="encoder and a decoder"):
        case("t5", "half").proved()


def test_a_head_whose_dropout_stands_behind_what_is_frozen_keeps_it_alive(case):
    made = case("bert", "head")
    assert made.proved()[0].module == "dropout"
    assert made.model.dropout not in frozen_modules(made.model)


def test_a_head_that_is_trained_in_part_begins_behind_its_frozen_part(case):
    made = case("roberta", "head")
    ever = {name for name in made.ever if "out_proj" in name}
    made.model.eval()
    for name, parameter in made.model.named_parameters():
        parameter.requires_grad_(name in ever)
    found = list(boundaries(made.model, ever, made.depth, made.batch))
    # The head's dropout runs twice: in front of its frozen layer and behind it.
    assert [(place.module, place.turn) for place in found] == [("classifier.dropout", 1)]
    with pytest.raises(NotCacheable, match=r"classifier\.dropout, before what trains, changes from step to step"):
        validate(made.model, found[0], ever, frozen_modules(made.model), made.batch)


def test_dropout_between_embeddings_and_frozen_layers_is_held_still(case):
    made = case("gpt2", "half", embd_pdrop=0.3)
    assert made.model.transformer.drop in frozen_modules(made.model)
    made.proved()
    boundary = next(boundaries(made.model, made.ever, made.depth, made.batch))
    with pytest.raises(NotCacheable, match=r"transformer\.drop, before what trains"):
        validate(made.model, boundary, made.ever, [], made.batch)


@pytest.mark.parametrize("trains", ["head", "half"])
def test_batch_statistics_of_frozen_layers_must_be_held_still(case, trains):
    made = case("resnet", trains)
    boundary, _ = made.proved()
    with pytest.raises(NotCacheable, match="normalization, before what trains, changes from step to step"):
        validate(made.model, boundary, made.ever, [], made.batch)


def test_rows_whose_states_depend_on_the_padding_are_refused(case):
    made = case("gpt2", "half")
    # GPT-2 counts positions from the left, padding and all.
    left = {name: values.flip(1) for name, values in made.batch.items()}
    made.batch.update(left)
    with pytest.raises(NotCacheable, match="the other rows of a batch change its logits"):
        made.proved()


def test_another_way_around_the_boundary_is_found(case):
    made = case("bert", "half")

    def past(module, args, output):
        return output + kept[-1].mean() * 0.01

    kept = []
    made.model.bert.embeddings.register_forward_hook(lambda module, args, output: kept.append(output))
    made.model.classifier.register_forward_hook(past)
    with pytest.raises(NotCacheable, match="frozen layers change its logits by another path"):
        made.proved()


def test_a_trained_weight_that_is_read_in_front_is_found(case):
    made = case("bert", "half")
    weight = made.model.classifier.weight
    # Used without its module being run: no order of modules shows it, the gradients do.
    made.model.bert.embeddings.register_forward_hook(
        lambda module, args, output: output + weight.sum() * output.roll(1, -1)
    )
    with pytest.raises(NotCacheable, match="the other rows of a batch change the gradient"):
        made.proved()


def test_sizes_follow_from_rows_and_tokens(case):
    found, _ = case("bert", "half").proved()
    assert found.dims == (Dimension(1, rows=True), Dimension(1, tokens=True), Dimension(32))
    assert found.dtype == torch.float32
    assert found.place == 0


@pytest.mark.parametrize(("family", "trains"), [*((f, "half") for f in HALF), *((f, "head") for f in HEAD)])
def test_what_is_held_still_lies_in_front(case, family, trains):
    made = case(family, trains)
    boundary, _ = made.proved()
    held = {id(part) for module in frozen_modules(made.model) for part in module.modules()}
    front = {id(made.model.get_submodule(name)) for name in (*boundary.front, *boundary.silent)}
    bare = [module for module in made.model.modules() if next(module.parameters(), None) is None]
    # Dropout of trained layers and of the head works on.
    assert {id(module) for module in bare} & held <= front
    dropouts = [module for module in bare if isinstance(module, torch.nn.Dropout) and id(module) not in front]
    assert not any(id(module) in held for module in dropouts)
