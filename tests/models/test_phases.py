"""Freezing in phases: its effect on real steps, both ways, for every shipped policy, family and phase."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from tests import tiny
from tests.tiny import FAMILIES, TEXT
from tunebook.config import registry
from tunebook.config.schema import FreezingConfig
from tunebook.errors import FreezingError
from tunebook.models.depth import find_depth
from tunebook.models.freezing import frozen_modules, hold_frozen_in_eval
from tunebook.models.parameter_kinds import norm_parameters
from tunebook.models.plan import plan_freezing, set_trained

SHIPPED = sorted((Path(__file__).parents[2] / "conf" / "freezing").rglob("*.yaml"))
# ModernBERT has no biases in its backbone; the error that says so has a test of its own.
CASES = [
    pytest.param(path, family, id=f"{path.stem}-{family}")
    for path in SHIPPED
    for family in FAMILIES
    if (path.stem, family) != ("bitfit", "modernbert")
]


def freezing(policy: str, **settings):
    """The group `freezing`, from plain values."""
    own = {key: settings.pop(key) for key in ("norms", "biases", "embeddings") if key in settings}
    options = registry.load("policy", policy).Options(**settings)
    return FreezingConfig(policy=policy, options=options, **own)


def shipped(path: Path):
    return freezing(**{key: value for key, value in yaml.safe_load(path.read_text()).items() if value is not None})


def phases(model, policy, **settings):
    """Of each phase its name and what trains in it, as names of parameters."""
    return {
        planned.phase.name: set(planned.trained)
        for planned in plan_freezing(model, freezing(policy, **settings)).phases
    }


def groups(model, *wanted: str) -> set[str]:
    """The parameters of groups by their names."""
    return {name for group in find_depth(model).groups if group.name in wanted for name in group.parameter_names}


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in [*model.named_parameters(), *model.named_buffers()]}


def step(model: nn.Module, optimizer, batch) -> None:
    model.train()
    hold_frozen_in_eval(frozen_modules(model))
    model(**batch).loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def test_all_of_them_are_found():
    assert len(SHIPPED) >= 12
    assert {yaml.safe_load(path.read_text())["policy"] for path in SHIPPED} == set(registry.names("policy"))


@pytest.mark.parametrize(("path", "family"), CASES)
def test_in_every_phase_the_thawed_move_and_nothing_else(path, family, build, batch):
    """One optimizer for all phases, as in a run: what is frozen again has moments and a gradient that are left."""
    model, inputs = build(family), batch(family)
    plan = plan_freezing(model, shipped(path))
    set_trained(model, plan.ever)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2, weight_decay=0.1)
    for planned in plan.phases:
        set_trained(model, planned.trained)
        before = state(model)
        for _ in range(2):
            step(model, optimizer, inputs)
        model(**inputs).loss.backward()
        after = state(model)
        moved = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
        assert moved == planned.trained, planned.phase.name
        statistics = {name for name in after if "running_" in name and not torch.equal(after[name], before[name])}
        # A BatchNorm is still where its scale does not train.
        beside = {name.rpartition(".")[0] for name in planned.trained if name.endswith(".weight")}
        thawed = {name for name in after if "running_" in name and name.rpartition(".")[0] in beside}
        assert statistics == thawed, planned.phase.name


def test_gradual_thaws_from_the_top_and_the_embeddings_last(build):
    model = build("bert")
    found = phases(model, "gradual")
    assert list(found) == ["head", "layer 3", "layer 2", "layer 1", "layer 0", "embeddings"]
    assert found["head"] == groups(model, "head")
    assert found["layer 2"] == groups(model, "head", "layer 3", "layer 2")
    assert found["embeddings"] == {name for name, _ in model.named_parameters()}


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"layers_at_a_time": 3}, ["head", "layer 3, layer 2, layer 1", "layer 0", "embeddings"]),
        ({"groups": 2}, ["head", "layer 3, layer 2", "layer 1, layer 0", "embeddings"]),
        ({"groups": 3}, ["head", "layer 3", "layer 2", "layer 1, layer 0", "embeddings"]),
        ({"n": 2}, ["head", "layer 3", "layer 2"]),
        ({"n": "50%", "groups": 1}, ["head", "layer 3, layer 2"]),
        ({"n": 0}, ["head"]),
        ({"embeddings": "freeze"}, ["head", "layer 3", "layer 2", "layer 1", "layer 0"]),
    ],
)
def test_what_thaws_together(settings, names, build):
    plan = plan_freezing(build("bert"), freezing("gradual", **settings))
    assert [planned.phase.name for planned in plan.phases] == names
    assert plan.phases[-1].phase.length is None


def test_groups_of_patterns_thaw_in_their_order_and_nothing_else(build):
    model = build("bert")
    found = phases(model, "gradual", groups=[["layer.0", "pooler"], ["embeddings"]])
    first = groups(model, "head", "layer 0") | {"bert.pooler.dense.weight", "bert.pooler.dense.bias"}
    assert list(found.values()) == [groups(model, "head"), first, first | groups(model, "embeddings")]
    everything = phases(model, "gradual", groups=["layer.3", "."])
    assert list(everything.values())[-1] == {name for name, _ in model.named_parameters()}


def test_every_pattern_that_finds_nothing_is_told_once(build):
    with pytest.raises(FreezingError) as caught:
        plan_freezing(build("bert"), freezing("gradual", groups=["layer.9", "layer.3", "pooler_", "."]))
    assert [problem.key for problem in caught.value.problems] == ["layer.9", "pooler_"]


def test_chain_thaw_trains_each_alone_then_everything(build):
    model = build("bert")
    found = phases(model, "chain_thaw")
    order = ["head", "embeddings", "layer 0", "layer 1", "layer 2", "layer 3"]
    assert list(found) == [*(f"{name} alone" for name in order), "everything"]
    assert [found[f"{name} alone"] for name in order] == [groups(model, name) for name in order]
    assert found["everything"] == {name for name, _ in model.named_parameters()}


def test_chain_thaw_leaves_out_what_never_trains(build):
    found = phases(build("bert"), "chain_thaw", embeddings="freeze")
    assert "embeddings alone" not in found
    assert not found["everything"] & groups(build("bert"), "embeddings")


def test_head_then_all(build):
    model = build("vit")
    plan = plan_freezing(model, freezing("head_then_all", head_learning_rate=1e-2, learning_rate="50%"))
    head, everything = plan.phases
    assert head.trained == groups(model, "head")
    assert everything.trained == {name for name, _ in model.named_parameters()}
    assert (head.phase.learning_rate, head.phase.rate_share) == (1e-2, None)
    assert (everything.phase.learning_rate, everything.phase.rate_share) == (None, 0.5)
    assert head.phase.restarts
    assert everything.phase.restarts


@pytest.mark.parametrize(("n", "count"), [("25%", 1), ("1%", 1), ("30%", 1), ("40%", 2), ("75%", 3), ("all", 4)])
def test_a_share_of_layers_is_rounded_to_at_least_one(n, count, build):
    model = build("bert")
    names = [f"layer {at}" for at in range(4)]
    assert phases(model, "last_n", n=n)[""] == groups(model, "head", *names[4 - count :])
    assert phases(model, "first_n", n=n)[""] == groups(model, "head", *names[count:])


def biases(model):
    return {name for name, _ in model.named_parameters() if name.endswith("bias")}


def test_bitfit_trains_biases_and_head(build):
    for family in ("bert", "vit", "resnet", "gpt2"):
        model = build(family)
        assert phases(model, "head_only", biases="train")[""] == biases(model) | groups(model, "head")


@pytest.mark.parametrize("family", ["bert", "distilbert", "modernbert", "vit", "resnet", "mobilenet_v2", "gpt2"])
def test_norms_are_found_by_their_type(family, build):
    model = build(family)
    norms = (nn.LayerNorm, nn.BatchNorm2d)
    wanted = {
        f"{path}.{name}"
        for path, module in model.named_modules()
        if isinstance(module, norms)
        for name, _ in module.named_parameters()
    }
    assert wanted
    assert norm_parameters(model) == wanted
    assert phases(model, "head_only", norms="train")[""] == wanted | groups(model, "head")
    assert phases(model, "none", norms="freeze")[""] == {name for name, _ in model.named_parameters()} - wanted


def test_norms_of_a_class_of_its_own_are_found():
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", vocab_size=20, **shape))
    assert norm_parameters(model) == {
        "model.layers.0.input_layernorm.weight",
        "model.layers.0.post_attention_layernorm.weight",
        "model.norm.weight",
    }


def test_the_embeddings_can_be_set_apart(build):
    model = build("roberta")
    assert phases(model, "head_only", embeddings="train")[""] == groups(model, "head", "embeddings")
    assert phases(model, "none", embeddings="freeze")[""].isdisjoint(groups(model, "embeddings"))


def test_of_two_kinds_the_bias_decides_then_the_norm_then_the_embedding(build):
    model = build("bert")
    trained = phases(model, "head_only", biases="freeze", norms="train", embeddings="train")[""]
    assert "bert.embeddings.LayerNorm.bias" not in trained
    assert "bert.embeddings.LayerNorm.weight" in trained
    assert "classifier.bias" not in trained
    frozen_tables = phases(model, "none", norms="train", embeddings="freeze")[""]
    assert "bert.embeddings.LayerNorm.weight" in frozen_tables
    assert "bert.embeddings.word_embeddings.weight" not in frozen_tables


def test_they_stand_above_the_policy_in_every_phase(build):
    model = build("bert")
    norms = norm_parameters(model)
    found = phases(model, "gradual", norms="train", biases="freeze")
    assert len(found) == 6
    for trained in found.values():
        assert norms - biases(model) <= trained
        assert not trained & biases(model)


def test_a_model_without_any_is_refused(build):
    for model, key in {build("modernbert"): "biases", nn.Sequential(nn.Linear(2, 2)): "embeddings"}.items():
        with pytest.raises(FreezingError, match=f"the backbone of this model has no {key} to train") as caught:
            plan_freezing(model, freezing("none", **{key: "train"}))
        assert caught.value.problems[0].key == f"freezing.{key}"


def test_nothing_left_in_any_phase(build):
    with pytest.raises(FreezingError, match="nothing is left to train"):
        plan_freezing(build("bert"), freezing("patterns", default="freeze"))


@pytest.mark.parametrize("policy", ["gradual", "chain_thaw"])
def test_a_model_without_layers_is_refused(policy):
    with pytest.raises(FreezingError, match="no list of layers to count"):
        plan_freezing(nn.Sequential(nn.Linear(2, 2)), freezing(policy))


def test_more_layers_or_groups_than_there_are(build):
    with pytest.raises(FreezingError, match="this model has 4 layers"):
        plan_freezing(build("bert"), freezing("gradual", n=5))
    with pytest.raises(FreezingError, match="4 layers are unfrozen, which cannot be divided into 5 groups"):
        plan_freezing(build("bert"), freezing("gradual", groups=5))


@pytest.mark.parametrize(
    ("policy", "settings", "said"),
    [
        ("none", {}, ["everything"]),
        ("head_only", {}, ["head"]),
        ("last_n", {"n": 2}, ["layer 2 to layer 3, head"]),
        ("first_n", {"n": 0}, ["layer 0 to layer 3, head"]),
        ("head_only", {"biases": "train"}, ["head; parts of embeddings to layer 3"]),
        ("patterns", {"rules": [{"pattern": "layer.1", "train": False}]},
         ["embeddings to layer 0, layer 2 to layer 3, head"]),
        ("chain_thaw", {"embeddings": "freeze"},
         ["head", "layer 0", "layer 1", "layer 2", "layer 3", "layer 0 to layer 3, head"]),
    ],
)  # fmt: skip
def test_where_it_trains_in_a_few_words(policy, settings, said, build):
    assert [planned.where for planned in plan_freezing(build("bert"), freezing(policy, **settings)).phases] == said


def test_a_tied_table_trains_where_it_is_named_first():
    config = AutoConfig.for_model("gpt2", vocab_size=50, **TEXT["gpt2"])
    model = AutoModelForCausalLM.from_config(config)
    found = list(phases(model, "gradual"))
    assert found[0] == "layer 3", "the head has no parameters of its own, so its phase is left out"
    assert AutoModelForSequenceClassification.from_config(config).score.weight.requires_grad
    assert tiny.HEADS["gpt2"] == ["score"]
