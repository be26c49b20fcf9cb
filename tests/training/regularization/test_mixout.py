"""Mixout: the mean of the mixed weights is the trained one; names, frozen layers and evaluation are left alone."""

import pytest
import torch
from torch import nn
from transformers import AutoModelForSequenceClassification

from tests import tiny
from tests.training.test_gradients import without_dropout
from tunebook.errors import ModelError
from tunebook.training.regularization import mixout
from tunebook.training.regularization.base import MethodContext


def never(folder):
    raise AssertionError("no previous run is needed")


def loaded(folder, family):
    tiny.tiny_model(family, folder)
    auto = AutoModelForSequenceClassification
    torch.manual_seed(0)
    still = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0} if family == "gpt2" else {}
    return auto.from_pretrained(without_dropout(folder), num_labels=3, pad_token_id=0, **still)


def batch():
    generator = torch.Generator().manual_seed(0)
    return {"input_ids": torch.randint(5, 40, (4, 7), generator=generator), "attention_mask": torch.ones(4, 7).long()}


def logits(model):
    return model(**batch())["logits"]


def moved(model):
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel()))


@pytest.mark.parametrize("inputs", [0, 1])
def test_a_share_of_inputs_goes_initial_and_the_others_make_up_for_it(inputs):
    torch.manual_seed(0)
    weight, initial = torch.randn(6, 1000), torch.randn(6, 1000)
    weight, initial = (weight, initial) if inputs else (weight.T, initial.T)
    found = mixout.mixed(weight, initial, 0.25, inputs)
    away = initial + (weight - initial) / 0.75
    at_initial = (found == initial).all(1 - inputs)
    assert torch.allclose(found.index_select(inputs, (~at_initial).nonzero()[:, 0]),
                          away.index_select(inputs, (~at_initial).nonzero()[:, 0]), atol=1e-6)  # fmt: skip
    assert abs(float(at_initial.float().mean()) - 0.25) < 0.05


def test_its_mean_is_the_trained_weight():
    torch.manual_seed(0)
    weight, initial = torch.randn(3, 5), torch.randn(3, 5)
    mean = sum(mixout.mixed(weight, initial, 0.7, 1) for _ in range(20_000)) / 20_000
    assert torch.allclose(mean, weight, atol=0.1)
    assert mixout.mixed(weight, initial, 0.0, 1).allclose(weight, atol=1e-6)


@pytest.mark.parametrize("family", ["bert", "distilbert", "modernbert", "gpt2"])
def test_only_a_training_forward_is_mixed_and_names_stay(tmp_path, family):
    model, plain = (loaded(tmp_path / family, family) for _ in range(2))
    names = list(model.state_dict()), [name for name, _ in model.named_parameters()]
    mixout.start(mixout.Options(p=0.5), MethodContext(model, "class", 0, never))
    model.train()
    assert logits(model).allclose(logits(plain.train()), atol=1e-6), "at initial there is nothing to mix"
    moved(model)
    moved(plain)
    first, second = logits(model), logits(model)
    assert not first.allclose(second, atol=1e-4)
    assert logits(model.eval()).equal(logits(plain.eval()))
    assert (list(model.state_dict()), [name for name, _ in model.named_parameters()]) == names
    assert all(isinstance(parameter, nn.Parameter) for parameter in model.parameters())


def test_gradients_reach_the_weights_through_the_inputs_that_were_kept(tmp_path):
    model = loaded(tmp_path, "bert")
    mixout.start(mixout.Options(p=0.5), MethodContext(model, "class", 0, never))
    layer = model.bert.encoder.layer[0].attention.self.query
    torch.manual_seed(3)
    layer.train()(torch.randn(2, 32)).sum().backward()
    columns = layer.weight.grad.abs().sum(0) > 0
    assert 4 < int(columns.sum()) < 28
    assert layer.bias.grad.equal(torch.full((32,), 2.0))


def test_frozen_layers_are_not_mixed(tmp_path):
    model = loaded(tmp_path, "bert")
    mixout.start(mixout.Options(p=0.5), MethodContext(model, "class", 0, never))
    moved(model)
    layer = model.bert.encoder.layer[0].attention.self.query.train()
    states = torch.randn(2, 32)
    layer.weight.requires_grad_(False)
    assert layer(states).equal(nn.functional.linear(states, layer.weight, layer.bias))


def test_activation_checkpointing_gives_the_same_gradients(tmp_path):
    found = []
    for checkpointed in (False, True):
        model = loaded(tmp_path / str(checkpointed), "bert").train()
        mixout.start(mixout.Options(p=0.5), MethodContext(model, "class", 0, never))
        moved(model)
        if checkpointed:
            model.activation_checkpointing_enable()
        torch.manual_seed(5)
        logits(model).square().sum().backward()
        found.append({name: parameter.grad for name, parameter in model.named_parameters()})
    assert all(value.equal(found[1][name]) for name, value in found[0].items())


def test_a_forward_that_fails_leaves_the_weight_in_its_place(tmp_path):
    model = loaded(tmp_path, "bert")
    mixout.start(mixout.Options(), MethodContext(model, "class", 0, never))
    layer = model.bert.encoder.layer[0].attention.self.query.train()
    own = layer.weight
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        layer(torch.randn(2, 5))
    assert layer.weight is own


def test_a_backbone_without_linear_layers_is_refused(tmp_path):
    tiny.tiny_model("resnet", tmp_path)
    from transformers import AutoModelForImageClassification

    model = AutoModelForImageClassification.from_pretrained(tmp_path)
    with pytest.raises(ModelError, match="has no linear layers"):
        mixout.start(mixout.Options(), MethodContext(model, "class", 0, never))
