"""A base model in 4 bits under LoRA; where bitsandbytes is installed, which computes on a CPU too."""

from __future__ import annotations

import pytest
import torch

from tests import tiny
from tests.tiny import HEADS, LABELS, auto_class, model_config
from tunebook.config import registry
from tunebook.config.model_groups import AdapterConfig, FreezingConfig
from tunebook.errors import ModelError
from tunebook.models.adaptation.insert import AdapterBase, insert_adapter
from tunebook.models.load import load_model
from tunebook.models.plan import plan_freezing, set_trained
from tunebook.models.quantized import require_gpu


def test_without_a_gpu_it_is_refused_in_plain_words(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match="adapter.bits .* needs a GPU, and this machine shows none; use adapter=lora"):
        require_gpu()


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("family", ["bert", "roberta", "vit"])
def test_lora_trains_over_four_bits_and_the_head_stays_whole(batch, tmp_path, monkeypatch, family):
    bitsandbytes = pytest.importorskip("bitsandbytes", reason="the extra qlora is not installed")
    # It quantizes blocks of 64 numbers.
    table = tiny.TEXT if family in tiny.TEXT else tiny.IMAGE
    monkeypatch.setitem(table, family, table[family] | {"hidden_size": 64, "intermediate_size": 128})
    settings = model_config(name_or_path=tiny.tiny_model(family, tmp_path / "base"), head=HEADS[family])
    loaded = load_model(settings, auto_class(family), LABELS, seed=1, bits=4)
    model = loaded.model
    quantized = [name for name, one in model.named_modules() if isinstance(one, bitsandbytes.nn.Linear4bit)]
    assert quantized
    for one in model.modules():
        # Else a CPU packs weights in evaluation mode in a form that lets no gradient through.
        one.support_avx512bf16_for_cpu = False
    assert not any(name.startswith(tuple(HEADS[family])) for name in quantized)
    policy = registry.load("policy", "none").Options()
    freezing = FreezingConfig(policy="none", options=policy)
    options = registry.load("adapter", "lora").Options(bits=4, r=2)
    ever = plan_freezing(model, freezing).ever
    said = AdapterConfig(method="lora", save="adapter", options=options)
    done = insert_adapter(loaded, said, ever, AdapterBase.of(settings), 3)
    plan = plan_freezing(model, freezing, done.fixed)
    set_trained(model, plan.ever)
    before = {name: values.clone() for name, values in model.named_parameters()}
    optimizer = torch.optim.AdamW([values for values in model.parameters() if values.requires_grad], lr=0.05)
    inputs = {name: values for name, values in batch(family).items() if name != "labels"}
    model.eval()
    for _ in range(2):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(**inputs)["logits"], batch(family)["labels"]).backward()
        optimizer.step()
    moved = {name for name, values in model.named_parameters() if not torch.equal(values, before[name])}
    assert moved == set(plan.ever)
    ours = model(**inputs)["logits"]
    done.save(tmp_path / "adapter")
    for name, values in model.named_parameters():
        if name in moved:
            values.data.zero_()
    done.load(tmp_path / "adapter")
    assert torch.equal(model(**inputs)["logits"], ours)
