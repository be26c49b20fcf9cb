"""Every parameter trains at the rate that its depth or a pattern gives it, in groups that never change their order."""

from typing import Any

import pytest
import torch
import transformers

from tests import tiny
from tests.training.rates_material import model_of, wanted
from tunebook.errors import ConfigurationError, ModelError
from tunebook.models.depth import find_depth
from tunebook.models.parameter_kinds import norm_parameters
from tunebook.training.processes import Processes
from tunebook.training.rates import base_rate_now, parameter_groups, rate_lines, rate_range, rates_of, refuse_own_groups
from tunebook.training.trainer import RecipeTrainer, TrainerParts


def of(model, trained=None, **settings):
    names = {name for name, _ in model.named_parameters()} if trained is None else trained
    return rates_of(model, find_depth(model), names, wanted(**settings))


def trainer_of(model, folder, rates=None, **settings):
    arguments = transformers.TrainingArguments(
        output_dir=str(folder), report_to="none", use_cpu=True, learning_rate=1e-3, weight_decay=0.1, **settings
    )
    nothing: Any = None
    parts = TrainerParts(
        task=nothing, targets=nothing, processor=None, metrics=(), processes=Processes(use_cpu=True), batches=None,
        loss=None, eval_loss=None, rates=rates,
    )  # fmt: skip
    return RecipeTrainer(parts, model=model, args=arguments)


def test_the_head_counts_as_a_layer_and_each_layer_below_has_its_share():
    factors = of(model_of("bert"), layer_lr_decay=0.5).factors
    expected = {
        "classifier.weight": 1.0,
        "bert.pooler.dense.weight": 0.5,
        "bert.encoder.layer.3.output.dense.weight": 0.5,
        "bert.encoder.layer.2.output.dense.bias": 0.25,
        "bert.encoder.layer.0.attention.self.query.weight": 0.0625,
        "bert.embeddings.word_embeddings.weight": 0.03125,
        "bert.embeddings.LayerNorm.weight": 0.03125,
    }
    assert {name: factors[name] for name in expected} == expected


def test_a_slice_is_spaced_geometrically_from_embeddings_to_head():
    factors = of(model_of("bert"), lowest_learning_rate=1e-3 / 32).factors
    assert factors["bert.embeddings.word_embeddings.weight"] == pytest.approx(1 / 32)
    assert factors["bert.encoder.layer.1.output.dense.weight"] == pytest.approx(1 / 8)
    assert factors["classifier.bias"] == 1


@pytest.mark.parametrize("family", tiny.ALL_FAMILIES)
def test_every_parameter_has_a_factor_and_lies_in_one_group(family):
    model = model_of(family)
    rates = of(model, layer_lr_decay=0.9)
    assert rates.factors.keys() == dict(model.named_parameters()).keys()
    grouped = [id(p) for group in parameter_groups(model, rates, set(), 0.1) for p in group["params"]]
    assert sorted(grouped) == sorted(id(parameter) for parameter in model.parameters())


def test_only_what_ever_trains_is_grouped():
    model = model_of("bert")
    trained = {"classifier.weight", "bert.encoder.layer.3.output.dense.weight"}
    rates = of(model, trained, layer_lr_decay=0.5)
    groups = parameter_groups(model, rates, trained, 0.1)
    assert [(group["name"], group["lr"]) for group in groups] == [("layer 3", 5e-4), ("head", 1e-3)]


def test_the_depth_of_another_model_leaves_nothing_out_in_silence():
    model = model_of("bert")
    with pytest.raises(ModelError, match="have no depth, such as bert.encoder.layer.3"):
        rates_of(model, find_depth(model_of("bert", num_hidden_layers=3)), dict(model.named_parameters()), wanted())


def test_a_model_without_layers_has_a_backbone_and_a_head():
    factors = of(model_of("mobilenet_v2"), layer_lr_decay=0.5).factors
    assert set(factors.values()) >= {1.0, 0.5}


def test_the_first_pattern_decides_and_a_rate_may_be_0():
    rules = [
        {"pattern": "query", "learning_rate": 2e-3},
        {"pattern": r"layer\.0\.", "learning_rate": 0},
        {"pattern": "classifier", "learning_rate": 5e-3},
    ]
    model = model_of("bert")
    rates = of(model, learning_rates=rules, layer_lr_decay=0.5)
    found = {
        name: rates.factors[name] * rates.base
        for name in ("bert.encoder.layer.0.attention.self.query.weight", "bert.encoder.layer.0.output.dense.weight",
                     "classifier.bias", "bert.encoder.layer.3.output.dense.bias")
    }  # fmt: skip
    assert list(found.values()) == pytest.approx([2e-3, 0, 5e-3, 5e-4])
    groups = {group["name"]: group for group in parameter_groups(model, rates, set(rates.factors), 0.1)}
    assert groups["query"]["lr"] == pytest.approx(2e-3)
    assert len(groups["query"]["params"]) == 8


def test_a_weight_of_rate_0_stays_while_the_others_move():
    model = model_of("bert")
    rates = of(model, learning_rates=[{"pattern": "query", "learning_rate": 0}])
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.AdamW(parameter_groups(model, rates, set(rates.factors), 0.1))
    model(input_ids=torch.tensor([[5, 6, 7]]), labels=torch.tensor([1])).loss.backward()
    optimizer.step()
    moved = {name for name, parameter in model.named_parameters() if not parameter.equal(before[name])}
    assert not any("query" in name for name in moved)
    assert "bert.encoder.layer.0.attention.self.key.weight" in moved


def test_patterns_that_decide_nothing_are_told_all_at_once():
    rules = [{"pattern": "clasifier", "learning_rate": 1}, {"pattern": "query", "learning_rate": 1},
             {"pattern": r"query\.weight", "learning_rate": 1}]  # fmt: skip
    with pytest.raises(ConfigurationError) as told:
        of(model_of("bert"), learning_rates=rules)
    first, second = told.value.problems
    assert first.key == "hyperparameters.learning_rates.0.pattern=clasifier"
    assert "nearest: classifier" in first.message
    assert (second.key[:34], second.message[:35]) == (
        "hyperparameters.learning_rates.2.p", "decides nothing: 'query' takes all ",
    )  # fmt: skip


def test_a_pattern_for_what_never_trains_is_refused():
    with pytest.raises(ConfigurationError, match="matches no parameter that trains"):
        of(model_of("bert"), {"classifier.weight"}, learning_rates=[{"pattern": "query", "learning_rate": 1}])


def test_a_tied_parameter_answers_to_each_of_its_names():
    model = transformers.AutoModelForMaskedLM.from_config(
        transformers.AutoConfig.for_model("bert", vocab_size=60, **tiny.TEXT["bert"])
    )
    rates = of(model, learning_rates=[{"pattern": r"decoder\.weight", "learning_rate": 1e-4}])
    assert rates.factors["bert.embeddings.word_embeddings.weight"] == pytest.approx(0.1)


def test_the_range_of_some_parameters():
    factors = {"a": 0.25, "b": 1.0, "c": 4.0}
    assert rate_range(factors, ["a", "b"], 1e-3) == (2.5e-4, 1e-3)
    assert rate_range(factors, ["c"], 1e-3) == (4e-3, 4e-3)


@pytest.mark.parametrize(("groups", "rate"), [
    ([(0.1, 0.01), (1.0, 0.1)], 0.1),
    ([(0.25, 0.01), (0.5, 0.02)], 0.04),
    ([(0.0, 0.0), (20.0, 2.0)], 0.1),
    ([(0.0, 0.0)], 0.0),
])  # fmt: skip
def test_the_logged_rate_is_the_base_rate(groups, rate):
    assert base_rate_now([{"factor": factor, "lr": lr} for factor, lr in groups]) == pytest.approx(rate)


def test_a_line_tells_each_depths_rate_from_the_head_down():
    rules = [{"pattern": "query", "learning_rate": 2e-4}]
    [line] = rate_lines(of(model_of("bert"), layer_lr_decay=0.5, learning_rates=rules))
    assert line == (
        "learning rates: head 0.001, layer 3 0.0005, layer 2 0.00025, layer 1 0.000125, layer 0 6.25e-05, "
        "query 0.0002, embeddings 3.13e-05"
    )
    assert rate_lines(of(model_of("bert"))) == []
    [line] = rate_lines(of(model_of("bert", num_hidden_layers=12), layer_lr_decay=0.9))
    assert line.count(",") == 9
    assert "layer 6 0.000531, …, layer 0 0.000282" in line


# ---- the Trainer's optimizers ----


def plain(groups):
    return [(group["weight_decay"], group["lr"], [id(p) for p in group["params"]]) for group in groups]


@pytest.mark.parametrize("family", ["bert", "distilbert", "modernbert", "gpt2", "vit"])
def test_without_any_key_the_groups_are_transformers_own(family, tmp_path):
    model = model_of(family)
    ours = trainer_of(model, tmp_path, of(model)).create_optimizer()
    theirs = transformers.Trainer(model=model, args=trainer_of(model, tmp_path).args).create_optimizer()
    assert plain(ours.param_groups) == plain(theirs.param_groups)


def test_batch_normalisation_is_not_decayed_whatever_it_is_called(tmp_path):
    # transformers goes by names, and ResNet's are `normalization`.
    model = model_of("resnet")
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = trainer_of(model, tmp_path, of(model)).create_optimizer().param_groups
    decayed = {names[id(p)] for group in groups if group["weight_decay"] for p in group["params"]}
    assert decayed
    assert not decayed & norm_parameters(model)
    assert not any("bias" in name for name in decayed)


def test_decay_pulls_at_all_when_asked(tmp_path):
    model = model_of("bert")
    groups = trainer_of(model, tmp_path, of(model, decay_norms_and_biases=True)).create_optimizer().param_groups
    assert [(group["name"], group["weight_decay"], group["lr"]) for group in groups] == [("all", 0.1, 1e-3)]


OPTIMIZERS = ["adamw_torch", "adamw_torch_fused", "adafactor", "sgd", "adagrad", "rmsprop"]


@pytest.mark.parametrize("optim", OPTIMIZERS)
def test_every_installed_optimizer_takes_the_groups_and_moves_each_by_its_rate(optim, tmp_path):
    model = model_of("bert")
    trainer = trainer_of(model, tmp_path, of(model, layer_lr_decay=0.5), optim=optim)
    optimizer = trainer.create_optimizer()
    rates = {group["name"]: group["lr"] for group in optimizer.param_groups}
    assert (rates["embeddings"], rates["layer 0, no decay"], rates["head"]) == (1e-3 / 32, 1e-3 / 16, 1e-3)
    decays = {group["weight_decay"] for group in optimizer.param_groups if "no decay" in group["name"]}
    assert decays == {0}
    before = [parameter.clone() for parameter in model.parameters()]
    model(input_ids=torch.tensor([[5, 6, 7]]), labels=torch.tensor([1])).loss.backward()
    optimizer.step()
    assert not all(now.equal(then) for now, then in zip(model.parameters(), before, strict=True))


def test_the_groups_have_the_same_order_each_time():
    orders = []
    for _ in range(2):
        model = model_of("bert")
        rates = of(model, layer_lr_decay=0.7, learning_rates=[{"pattern": "bias", "learning_rate": 1e-4}])
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        groups = parameter_groups(model, rates, set(rates.factors), 0.1)
        orders.append([(group["name"], [names[id(p)] for p in group["params"]]) for group in groups])
    assert orders[0] == orders[1]
    assert len(orders[0]) == 7  # embeddings, 4 layers, head, and the pattern


def test_optimizers_with_groups_of_their_own_are_refused():
    for settings in ({"params": []}, {"model": None}, {"optimizer_dict": {}}):
        with pytest.raises(ConfigurationError, match="galore_adamw groups the parameters its own way"):
            refuse_own_groups("galore_adamw", torch.optim.AdamW, settings)
    with pytest.raises(ConfigurationError, match="muon"):
        refuse_own_groups("muon", lambda: None, {})
    refuse_own_groups("adamw_torch", torch.optim.AdamW, {"lr": 1})
