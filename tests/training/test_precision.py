import torch
from torch import nn

from tunebook.training import precision


def step(model):
    return model(torch.ones(4, 8)).sum()


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5), nn.Linear(8, 2))


def test_the_recipe_decides_first(monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    chosen = precision.choose("float32", torch.device("cpu"), step, model())
    assert chosen == precision.Precision("float32", "runtime.precision")


def test_then_the_launcher(monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    chosen = precision.choose("auto", torch.device("cpu"), step, model())
    assert (chosen.name, chosen.chosen_by) == ("bf16", "the launcher (--mixed_precision)")


def test_then_a_probe_where_the_processor_has_bf16(monkeypatch):
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)
    monkeypatch.setattr(precision, "_cpu_computes_bf16", lambda: True)
    for gain, name in {2.0: "bf16", precision.FASTER: "bf16", 1.1: "float32"}.items():
        monkeypatch.setattr(precision, "probe", lambda *_, gain=gain: gain)
        chosen = precision.choose("auto", torch.device("cpu"), step, model())
        assert chosen.name == name
        assert f"bf16 is {gain:.2f} × as fast" in chosen.chosen_by


def test_without_bf16_instructions_nothing_is_probed(monkeypatch):
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)
    monkeypatch.setattr(precision, "_cpu_computes_bf16", lambda: False)
    monkeypatch.setattr(precision, "probe", None)
    assert precision.choose("auto", torch.device("cpu"), step, model()).name == "float32"


def test_the_probe_leaves_model_gradients_and_random_state_alone():
    trained = model().eval()
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    state = torch.random.get_rng_state()
    gain = precision.probe(trained, step, pairs=1)
    assert gain > 0
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in trained.state_dict().items())
    assert all(parameter.grad is None for parameter in trained.parameters())
    assert not trained.training
