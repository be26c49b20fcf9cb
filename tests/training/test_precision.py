import pytest
import torch

from tunebook.training import precision
from tunebook.training.precision import Precision, resolve_precision

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def without_launcher(monkeypatch):
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)


def processor(monkeypatch, **capabilities):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)


def test_the_recipe_decides_first(monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    assert resolve_precision("float32", CPU) == Precision("float32", "runtime.precision")


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_then_the_launcher(monkeypatch, name):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", name)
    assert resolve_precision("auto", CPU) == Precision(name, "the launcher (--mixed_precision)")


@pytest.mark.parametrize(
    ("capabilities", "name", "shown"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, "bf16", "AMX-BF16"),
        ({"amx_bf16": False, "avx512_bf16": True}, "bf16", "AVX512-BF16"),
        ({"avx2": True, "avx512_f": True}, "float32", "no bf16"),
        ({}, "float32", "no bf16"),
    ],
)
def test_then_what_the_processor_has(monkeypatch, capabilities, name, shown):
    processor(monkeypatch, **capabilities)
    chosen = resolve_precision("auto", CPU)
    assert (chosen.name, shown in chosen.chosen_by) == (name, True)


@pytest.mark.parametrize(("capability", "name"), [((7, 5), "float32"), ((8, 0), "bf16"), ((9, 0), "bf16")])
def test_then_what_the_gpu_has(monkeypatch, capability, name):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a GPU")
    assert resolve_precision("auto", torch.device("cuda", 0)).name == name


def test_other_devices_train_in_float32():
    assert resolve_precision("auto", torch.device("mps")).name == "float32"


def test_the_same_machine_gives_the_same_precision():
    assert len({resolve_precision("auto", CPU) for _ in range(20)}) == 1


def test_torch_reports_what_this_processor_has():
    # With other names in torch, bf16 would silently never be chosen.
    known = torch.cpu.get_capabilities()
    if known.get("architecture") == "x86_64":
        assert {"amx_bf16", "avx512_bf16"} <= known.keys(), f"torch {torch.__version__} names them differently"
    assert precision.cpu_bf16_instructions() in {"", "AMX-BF16", "AVX512-BF16"}
