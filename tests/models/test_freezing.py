"""Freezing: its effect on real steps, both ways, for every policy and family."""

from __future__ import annotations

import importlib

import pytest
import torch
from pydantic import ValidationError
from transformers import AutoConfig, AutoModelForCausalLM

from tests.tiny import FAMILIES, HEADS, TEXT
from tunebook.config import registry
from tunebook.errors import FreezingError
from tunebook.models.depth import find_depth
from tunebook.models.freezing import freeze, frozen_modules, hold_frozen_in_eval
from tunebook.models.policies.base import Rule

POLICIES = {
    "none": {},
    "embeddings": {},
    "first_n": {"n": 2},
    "last_n": {"n": 1},
    "head_only": {},
    "patterns": {"rules": [{"pattern": "weight$", "train": False}], "default": "train"},
}


def rules_of(policy, model, **options):
    module = importlib.import_module(f"tunebook.models.policies.{policy}")
    return module.rules(find_depth(model), module.Options(**options))


def should_be_frozen(policy, model):
    depth = find_depth(model)
    groups = {
        "none": [],
        "embeddings": [depth.embeddings],
        "first_n": [depth.embeddings, *depth.layers[:2]],
        "last_n": [depth.embeddings, *depth.layers[:-1]],
        "head_only": [depth.embeddings, *depth.layers],
    }
    if policy == "patterns":
        return {name for name, _ in model.named_parameters() if name.endswith("weight")}
    return {name for group in groups[policy] for name in group.parameter_names}


def step(model, batch, optimizer=None):
    model.train()
    hold_frozen_in_eval(frozen_modules(model))
    optimizer = optimizer or torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    optimizer.zero_grad()
    model(**batch).loss.backward()
    optimizer.step()


def statistics(model):
    return {name: value.clone() for name, value in model.named_buffers() if "running_" in name}


def test_every_policy_is_tested():
    # Those that freeze in phases are in test_phases.py.
    of_one_phase = [name for name in registry.names("policy") if hasattr(registry.load("policy", name), "rules")]
    assert of_one_phase == sorted(POLICIES)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("policy", POLICIES)
def test_one_step_moves_the_thawed_and_nothing_else(policy, family, build, batch):
    model = build(family)
    frozen = should_be_frozen(policy, model)
    freeze(model, rules_of(policy, model, **POLICIES[policy]))
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    step(model, batch(family))
    moved = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert moved == set(before) - frozen
    assert {name for name, value in model.named_parameters() if not value.requires_grad} == frozen


@pytest.mark.parametrize("policy", ["none", "embeddings", "first_n", "last_n", "head_only"])
def test_frozen_batch_norm_statistics_stay(policy, build, batch):
    model = build("resnet")
    freeze(model, rules_of(policy, model, **POLICIES[policy]))
    before = statistics(model)
    for _ in range(2):
        step(model, batch("resnet"))
    frozen = should_be_frozen(policy, model)
    after = statistics(model)
    assert before
    for name, value in after.items():
        is_frozen = name.rpartition(".")[0] + ".weight" in frozen
        assert torch.equal(value, before[name]) == is_frozen, name


def test_batch_norm_statistics_stay_where_only_shifts_train(build, batch):
    model = build("resnet")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.endswith("bias"))
    before, shift = statistics(model), model.resnet.embedder.embedder.normalization.bias.detach().clone()
    step(model, batch("resnet"))
    assert all(torch.equal(value, before[name]) for name, value in statistics(model).items())
    assert not torch.equal(model.resnet.embedder.embedder.normalization.bias, shift)


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "modernbert", "vit"])
def test_no_dropout_in_a_wholly_frozen_trunk(family, build, batch):
    model = build(family)
    inputs = {name: value for name, value in batch(family).items() if name != "labels"}

    def features():
        model.train()
        hold_frozen_in_eval(frozen_modules(model))
        return model.base_model(**inputs).last_hidden_state

    freeze(model, rules_of("none", model))
    assert not torch.equal(features(), features())
    freeze(model, rules_of("head_only", model))
    assert torch.equal(features(), features())
    # The head's own dropout stays on.
    assert model.training


def test_freezing_again_starts_anew(build):
    model = build("bert")
    freeze(model, rules_of("head_only", model))
    table = freeze(model, rules_of("none", model))
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert table.trainable_parameters == table.parameters


def test_frozen_modules_are_the_largest(build):
    model = build("bert")
    freeze(model, rules_of("first_n", model, n=2))
    layers = model.bert.encoder.layer
    assert frozen_modules(model) == [model.bert.embeddings, layers[0], layers[1]]
    freeze(model, rules_of("head_only", model))
    assert frozen_modules(model) == [model.bert]
    freeze(model, rules_of("none", model))
    assert frozen_modules(model) == []


def test_table_counts_every_parameter(build, said):
    model = build("bert")
    table = freeze(model, rules_of("first_n", model, n=1))
    assert [row.rule for row in table.rows] == [group.name for group in find_depth(model).groups]
    assert [row.trainable for row in table.rows] == [False, False, True, True, True, True]
    assert sum(row.parameters for row in table.rows) == sum(p.numel() for p in model.parameters())
    assert sum(row.tensors for row in table.rows) == len(list(model.parameters()))
    assert sum(row.share for row in table.rows) == pytest.approx(1)
    assert "\n".join(table.lines()) in said()


@pytest.mark.parametrize(("policy", "n"), [("first_n", 5), ("last_n", 5)])
def test_more_layers_than_there_are(policy, n, build):
    with pytest.raises(FreezingError, match="this model has 4 layers"):
        rules_of(policy, build("bert"), n=n)


@pytest.mark.parametrize("n", [0, 4])
def test_borders_of_n(n, build):
    model = build("bert")
    depth = find_depth(model)
    freeze(model, rules_of("first_n", model, n=n))
    trains = {name for name, value in model.named_parameters() if value.requires_grad}
    groups = [*depth.layers[n:], depth.head]
    assert trains == {name for group in groups for name in group.parameter_names}
    freeze(model, rules_of("last_n", model, n=n))
    trains = {name for name, value in model.named_parameters() if value.requires_grad}
    groups = [*(depth.layers if n else ()), depth.head]
    assert trains == {name for group in groups for name in group.parameter_names}


@pytest.mark.parametrize("options", [{"n": -1}, {}, {"n": 1, "m": 2}])
def test_options_refuse(options):
    module = importlib.import_module("tunebook.models.policies.first_n")
    with pytest.raises(ValidationError):
        module.Options(**options)


def test_a_broken_pattern_is_refused_before_any_model():
    module = importlib.import_module("tunebook.models.policies.patterns")
    with pytest.raises(ValidationError, match="not a regular expression"):
        module.Options(rules=[{"pattern": "layer.(", "train": True}])


def patterns(model, *rules, default="train"):
    given = [{"pattern": pattern, "train": train} for pattern, train in rules]
    return rules_of("patterns", model, rules=given, default=default)


def test_first_matching_pattern_wins(build):
    model = build("bert")
    freeze(model, patterns(model, ("LayerNorm", True), (r"encoder\.layer\.[01]\.", False)))
    layer = model.bert.encoder.layer[0]
    assert layer.output.LayerNorm.weight.requires_grad
    assert not layer.output.dense.weight.requires_grad
    assert model.bert.encoder.layer[2].output.dense.weight.requires_grad


def test_default_freeze(build):
    model = build("bert")
    freeze(model, patterns(model, ("^classifier", True), default="freeze"))
    assert {name for name, p in model.named_parameters() if p.requires_grad} == {
        "classifier.weight",
        "classifier.bias",
    }


def test_a_rule_that_matches_nothing_names_the_nearest(build):
    model = build("bert")
    states = [p.requires_grad for p in model.parameters()]
    rules = patterns(model, ("classifer", False), (r"encoder\.layers\.0", False))
    with pytest.raises(FreezingError) as caught:
        freeze(model, rules)
    assert [problem.key for problem in caught.value.problems] == ["classifer", r"encoder\.layers\.0"]
    first, second = (problem.message for problem in caught.value.problems)
    assert "nearest: classifier" in first
    assert "encoder.layer.0" in second
    assert [p.requires_grad for p in model.parameters()] == states


def test_a_rule_that_others_shadow_is_an_error(build):
    model = build("bert")
    with pytest.raises(FreezingError, match="bert matches them first"):
        freeze(model, patterns(model, ("bert", False), ("bert.pooler", True)))


def test_nothing_left_to_train(build):
    model = build("bert")
    with pytest.raises(FreezingError, match="nothing is left to train"):
        freeze(model, patterns(model, default="freeze"))


def test_every_parameter_needs_a_rule(build):
    model = build("bert")
    with pytest.raises(FreezingError, match="no rule matches"):
        freeze(model, [Rule("head", True, pattern="^classifier")])


def test_tied_parameters_answer_to_each_name():
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("gpt2", vocab_size=50, **TEXT["gpt2"]))
    freeze(model, patterns(model, ("lm_head", False)))
    assert not model.transformer.wte.weight.requires_grad
    with pytest.raises(FreezingError, match="no head of its own"):
        freeze(model, rules_of("head_only", model))


@pytest.mark.parametrize("family", FAMILIES)
def test_head_only_trains_what_is_outside_the_backbone(family, build):
    model = build(family)
    freeze(model, rules_of("head_only", model))
    trains = {name for name, value in model.named_parameters() if value.requires_grad}
    assert {name.split(".")[0] for name in trains} >= set(HEADS[family])
    assert not any(parameter.requires_grad for parameter in model.base_model.parameters())
