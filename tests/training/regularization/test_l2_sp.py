"""L2-SP: the pull is the gradient of the paper's penalty, once a step, towards where training began."""

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from tests import tiny
from tunebook.training.regularization import l2_sp
from tunebook.training.regularization.base import MethodContext


def never(folder):
    raise AssertionError("no previous run is needed")


@pytest.fixture
def model(tmp_path):
    tiny.tiny_text_model("bert", tmp_path)
    return AutoModelForSequenceClassification.from_pretrained(tmp_path, num_labels=3)


def moved(model):
    """Where the model began, and the model somewhere else, with gradients."""
    began = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.data += torch.randn(parameter.shape, generator=generator)
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    return began


@pytest.mark.parametrize("scale", [1.0, 1024.0])
def test_it_adds_the_gradient_of_the_papers_penalty(model, scale):
    method = l2_sp.start(l2_sp.Options(alpha=0.3, beta=0.05), MethodContext(model, "class", 0, never))
    began = moved(model)
    before = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    method.add_gradients(scale)
    added = {name: parameter.grad - before[name] for name, parameter in model.named_parameters()}
    fresh = {name: parameter.detach().clone().requires_grad_() for name, parameter in model.named_parameters()}
    penalty = sum(
        0.05 / 2 * (value**2).sum() if name.startswith("classifier") else 0.3 / 2 * ((value - began[name]) ** 2).sum()
        for name, value in fresh.items()
    )
    (scale * penalty).backward()
    assert len(added) > 50
    for name, gradient in added.items():
        assert torch.allclose(gradient, fresh[name].grad, atol=1e-6 * scale), name
        assert gradient.abs().max() > 0, name


def test_what_is_frozen_gets_no_gradient(model):
    method = l2_sp.start(l2_sp.Options(alpha=0.3, beta=0.05), MethodContext(model, "class", 0, never))
    moved(model)
    name, frozen = next(iter(model.named_parameters()))
    frozen.grad = None
    method.add_gradients(1.0)
    assert frozen.grad is None, name


def test_a_strength_of_nothing_adds_nothing(model):
    method = l2_sp.start(l2_sp.Options(alpha=0.0, beta=0.0), MethodContext(model, "class", 0, never))
    moved(model)
    before = [parameter.grad.clone() for parameter in model.parameters()]
    method.add_gradients(1.0)
    assert all(parameter.grad.equal(own) for parameter, own in zip(model.parameters(), before, strict=True))
