"""Every adapter method in every family that can have it: what moves, what stays, and that it loads again."""

from __future__ import annotations

import json
from dataclasses import replace

import peft
import pytest
import torch
import transformers

from tests.tiny import FAMILIES, HEADS, LABELS, TEXT, auto_class, model_config
from tunebook.config import registry
from tunebook.config.model_groups import AdapterConfig, FreezingConfig
from tunebook.errors import ModelError, RunDirectoryError
from tunebook.models.adaptation.insert import AdapterBase, insert_adapter
from tunebook.models.adaptation.parameter_names import plain_name
from tunebook.models.load import load_model
from tunebook.models.plan import plan_freezing, set_trained

LAYERS = {
    "lora": ("lora", {"r": 4}),
    "dora": ("lora", {"use_dora": True}),
    "rslora": ("lora", {"use_rslora": True, "r": 4}),
    "ia3": ("ia3", {}),
}
INPUT = {"prompt": ["bert", "distilbert", "roberta", "modernbert"], "prefix": ["bert", "roberta", "gpt2"]}
IN_LAYERS = [(name, family) for name in LAYERS for family in [*FAMILIES, "gpt2"]]
AT_INPUT = [(name, family) for name, families in INPUT.items() for family in families]

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


def adapter_config(method, save="both", **options):
    return AdapterConfig(method=method, save=save, options=registry.load("adapter", method).Options(**options))


def freezing_config(policy="none", **settings):
    options = registry.load("policy", policy).Options(**settings.pop("options", {}))
    return FreezingConfig(policy=policy, options=options, **settings)


@pytest.fixture
def load(saved):
    """A family's tiny classifier, as a run loads it."""

    def one(family, seed=1):
        settings = model_config(name_or_path=saved(family), head=HEADS[family])
        loaded = load_model(settings, auto_class(family), LABELS, seed=seed)
        if family in TEXT:
            loaded.model.config.pad_token_id = 0
        return settings, loaded

    return one


@pytest.fixture
def adapt(load):
    """An adapted model and its plan."""

    def one(family, adapter, freezing=None, **settings):
        said, loaded = load(family)
        freezing = freezing or freezing_config()
        ever = plan_freezing(loaded.model, freezing).ever
        base = AdapterBase.of(said)
        done = insert_adapter(loaded, adapter, ever, base, 3, **settings)
        plan = plan_freezing(done.model, freezing, done.fixed)
        set_trained(done.model, plan.ever)
        return done, plan

    return one


def of_kind(name, **settings):
    if name in LAYERS:
        method, options = LAYERS[name]
        return adapter_config(method, **options, **settings)
    return adapter_config(name, num_virtual_tokens=4, **settings)


def train(model, batch, steps=3, rate=0.05):
    """Without dropout; BatchNorm stays still, as the Trainer sees to."""
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate)
    model.eval()
    for _ in range(steps):
        optimizer.zero_grad()
        inputs = {name: values for name, values in batch.items() if name != "labels"}
        torch.nn.functional.cross_entropy(model(**inputs)["logits"], batch["labels"]).backward()
        optimizer.step()


def logits(model, batch):
    with torch.no_grad():
        return model.eval()(**{name: values for name, values in batch.items() if name != "labels"})["logits"]


def states(model):
    return {name: values.detach().clone() for name, values in model.state_dict().items()}


def base_of(saved, family, **settings):
    """The base model with a fresh head, as anybody would load it."""
    auto = getattr(transformers, auto_class(family))
    torch.manual_seed(99)
    return auto.from_pretrained(saved(family), num_labels=len(LABELS), **settings)


@pytest.mark.parametrize(("name", "family"), IN_LAYERS + AT_INPUT)
def test_it_trains_saves_and_loads_with_plain_peft(adapt, saved, batch, tmp_path, name, family):
    done, plan = adapt(family, of_kind(name))
    inputs = batch(family)
    before, fresh = states(done.model), logits(base_of(saved, family), inputs)
    train(done.model, inputs)
    after = states(done.model)
    moved = {key for key in after if not torch.equal(before[key], after[key])}
    assert moved <= plan.ever, "weights under the adapter have moved, or statistics"
    # The one matrix of a pair of which the other is zero waits for the second step; all have moved by the third.
    assert moved == set(plan.ever)
    assert done.fixed.isdisjoint(plan.ever)

    ours = logits(done.model, inputs)
    done.save(tmp_path)
    base = base_of(saved, family)
    assert torch.equal(logits(base, inputs), fresh)
    theirs = peft.PeftModel.from_pretrained(base, tmp_path)
    torch.testing.assert_close(logits(theirs, inputs), ours, rtol=0, atol=1e-6)
    assert not torch.allclose(fresh, ours, atol=1e-2)
    said = json.loads((tmp_path / "adapter_config.json").read_text())
    assert said["base_model_name_or_path"] == str(saved(family))
    assert json.loads((tmp_path / "config.json").read_text())["id2label"] == {
        str(at): label for at, label in enumerate(LABELS)
    }


@pytest.mark.parametrize(("name", "family"), IN_LAYERS)
def test_merged_weights_give_the_same_logits_and_leave_the_model_alone(adapt, batch, tmp_path, name, family):
    done, _ = adapt(family, of_kind(name))
    inputs = batch(family)
    train(done.model, inputs, rate=0.02)  # logits of usual size: a larger rate makes a ResNet's 30 and more
    before, ours = states(done.model), logits(done.model, inputs)
    done.save(tmp_path / "model")
    done.finish(tmp_path / "model", tmp_path / "adapter")
    after = states(done.model)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert torch.equal(logits(done.model, inputs), ours)
    assert not (tmp_path / "model" / "adapter_config.json").exists(), "it would be added once more on loading"
    auto = getattr(transformers, auto_class(family))
    merged, said = auto.from_pretrained(tmp_path / "model", output_loading_info=True)
    assert not said["missing_keys"]
    assert not said["unexpected_keys"]
    torch.testing.assert_close(logits(merged, inputs), ours, rtol=0, atol=1e-5)
    assert (tmp_path / "adapter" / "adapter_model.safetensors").exists()
    assert not (tmp_path / "adapter" / "README.md").exists()


def test_an_adapter_goes_into_the_layers_that_freezing_trains_and_no_others(adapt):
    done, plan = adapt("bert", adapter_config("lora"), freezing_config("last_n", options={"n": 1}))
    beside = {name.split(".lora_")[0] for name in plan.ever if ".lora_" in name}
    assert beside == {f"bert.encoder.layer.3.attention.self.{part}" for part in ("query", "value")}
    assert {name for name, _ in done.model.named_parameters() if ".lora_" in name} <= plan.ever
    assert {name for name in plan.ever if ".lora_" not in name} == {
        f"classifier.modules_to_save.default.{part}" for part in ("weight", "bias")
    }


def test_an_adapter_goes_where_the_users_own_patterns_train(adapt):
    rules = [{"pattern": r"layer\.[01]\..*query\.weight$", "train": True}, {"pattern": "classifier", "train": True}]
    patterns = freezing_config("patterns", options={"rules": rules, "default": "freeze"})
    done, plan = adapt("bert", adapter_config("lora", target_modules=["query", "key"]), patterns)
    places = {name.split(".lora_")[0] for name, _ in done.model.named_parameters() if ".lora_" in name}
    assert places == {f"bert.encoder.layer.{at}.attention.self.query" for at in (0, 1)}
    assert {plain_name(name) for name in plan.ever} == {
        *(f"{place}.weight" for place in places), "classifier.weight", "classifier.bias",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["lora", "ia3"])
def test_adapters_thaw_with_their_layers(adapt, name):
    policy = freezing_config("gradual")
    _, plan = adapt("bert", adapter_config(name), policy)
    seen = [{plain_name(name) for name in phase.trained} for phase in plan.phases]
    assert len(seen) == 5, "the head, then one of four layers at a time; nothing of the embeddings trains"
    assert seen[0] == {"classifier.weight", "classifier.bias"}
    for at, (before, now) in enumerate(zip(seen, seen[1:], strict=False)):
        fresh = now - before
        assert before < now
        assert fresh
        assert all(name.startswith(f"bert.encoder.layer.{3 - at}.") for name in fresh)


def test_what_stands_at_the_input_thaws_with_the_embeddings(adapt):
    _, plan = adapt("bert", adapter_config("prompt", num_virtual_tokens=4), freezing_config("head_then_all"))
    prompt = "prompt_encoder.default.embedding.weight"
    assert [prompt in phase.trained for phase in plan.phases] == [False, True]
    assert prompt in plan.depth.embeddings.parameter_names
    assert len(plan.depth.layers) == 4
    assert not any("classifier" in name for group in plan.depth.groups[:-1] for name in group.parameter_names)


def test_every_linear_layer_gets_one_where_peft_knows_nothing_usual(adapt):
    done, _ = adapt("vit", adapter_config("lora"))
    assert len({name for name, _ in done.model.named_parameters() if "lora_A" in name}) == 4 * 6
    assert not any("lora" in name and "embeddings" in name for name, _ in done.model.named_parameters())


def test_a_head_of_several_modules_is_kept_whole(adapt, tmp_path):
    done, _ = adapt("distilbert", adapter_config("lora"))
    done.save(tmp_path)
    said = json.loads((tmp_path / "adapter_config.json").read_text())
    assert said["modules_to_save"] == ["pre_classifier", "classifier"]
    names = {name for name in done.state() if "classifier" in name}
    assert names == {
        f"base_model.model.{head}.{part}" for head in said["modules_to_save"] for part in ("weight", "bias")
    }


def test_a_part_of_the_backbone_that_is_new_trains_and_is_kept(load):
    settings, loaded = load("bert")
    new = ["bert.pooler.dense.weight", "bert.pooler.dense.bias", *loaded.head_report.new]
    ever = plan_freezing(loaded.model, freezing_config()).ever
    base = AdapterBase.of(settings)
    done = insert_adapter(
        replace(loaded, head_report=replace(loaded.head_report, new=tuple(new))), adapter_config("lora"), ever, base, 3
    )
    assert {"base_model.model.bert.pooler.dense.weight", "base_model.model.classifier.weight"} <= done.state().keys()
    plan = plan_freezing(done.model, freezing_config(), done.fixed)
    assert "bert.pooler.dense.modules_to_save.default.weight" in plan.ever
    assert "bert.pooler.dense.modules_to_save.default.weight" in plan.depth.layers[-1].parameter_names


def test_the_adapter_depends_on_the_seed_alone(load):
    def drawn(before, seed):
        settings, loaded = load("bert")
        ever = plan_freezing(loaded.model, freezing_config()).ever
        torch.manual_seed(before)
        base = AdapterBase.of(settings)
        return insert_adapter(loaded, adapter_config("lora"), ever, base, seed).state()

    one, same, other = drawn(1, 3), drawn(2, 3), drawn(1, 4)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


REFUSED = [
    ("bert", adapter_config("lora", target_modules=["qurey"]), {}, "adapter.target_modules .*'qurey' is no module of "
     "BertModel's layers; did you mean query"),
    ("bert", adapter_config("lora", target_modules=["LayerNorm"]), {}, "'LayerNorm' can have no adapter"),
    ("bert", adapter_config("lora"), {"policy": "last_n", "options": {"n": 0}}, "lora has no weights to adapt: it "
     "would be in query, value, and the freezing policy trains none of them"),
    ("bert", adapter_config("prompt"), {"policy": "last_n", "options": {"n": 1}}, "prompt is in front of the first "
     "layer and trains when the embeddings do"),
    ("gpt2", adapter_config("prompt"), {}, "with prompt the logits of a gpt2 model depend on how a text is padded"),
    ("modernbert", adapter_config("prefix"), {}, "prefix does not run in a modernbert model .*it works in BERT"),
    ("distilbert", adapter_config("prefix"), {}, "prefix does not run in a distilbert model"),
    ("vit", adapter_config("prompt"), {}, "prompt reads texts, which a vit model does not; use adapter=lora"),
    ("mobilenet_v2", adapter_config("lora"), {}, "lora does not run in a mobilenet_v2 model"),
]  # fmt: skip


@pytest.mark.parametrize(("family", "adapter", "freezing", "told"), REFUSED)
def test_what_does_not_fit_is_refused_in_plain_words(adapt, family, adapter, freezing, told):
    with pytest.raises(ModelError, match=told):
        adapt(family, adapter, freezing_config(**freezing))


def test_a_prompt_that_a_head_of_zeros_would_hide_is_refused_all_the_same(load):
    settings, loaded = load("gpt2")
    loaded.model.score.weight.data.zero_()
    ever = plan_freezing(loaded.model, freezing_config()).ever
    with pytest.raises(ModelError, match="depend on how a text is padded"):
        insert_adapter(loaded, adapter_config("prompt"), ever, AdapterBase.of(settings), 3)
    assert not loaded.model.score.modules_to_save["default"].weight.any(), "the trial must leave the head as it was"


@pytest.mark.parametrize("name", ["prompt", "prefix"])
def test_a_text_and_virtual_tokens_beyond_the_positions_are_told_before_training(adapt, name):
    adapt("bert", adapter_config(name, num_virtual_tokens=6), longest=60)
    with pytest.raises(ModelError, match="task.max_length .*more than a bert model has positions for"):
        adapt("bert", adapter_config(name, num_virtual_tokens=7), longest=60)


def test_the_trial_leaves_model_and_random_numbers_alone(load):
    settings, loaded = load("bert")
    ever = plan_freezing(loaded.model, freezing_config()).ever
    before = states(loaded.model)
    base = AdapterBase.of(settings)
    done = insert_adapter(loaded, adapter_config("prompt"), ever, base, 3, longest=32)
    assert all(
        torch.equal(values, before[plain_name(name)]) for name, values in states(done.wrapped.base_model).items()
    )
    assert done.model.training


def test_weights_of_another_adapter_are_refused_on_loading(adapt, tmp_path):
    small, _ = adapt("bert", adapter_config("lora", r=2))
    large, _ = adapt("bert", adapter_config("lora", r=4))
    fewer, _ = adapt("bert", adapter_config("lora", target_modules=["query"]))
    small.save(tmp_path)
    for other in (large, fewer):
        with pytest.raises(RunDirectoryError, match=r"does not fit this adapter: .*lora_A"):
            other.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "family"), [("lora", "roberta"), ("dora", "resnet"), ("ia3", "gpt2"), ("prefix", "bert")]
)
def test_what_is_saved_is_loaded_to_the_bit(adapt, batch, tmp_path, name, family):
    done, _ = adapt(family, of_kind(name))
    train(done.model, batch(family))
    done.save(tmp_path)
    other, _ = adapt(family, of_kind(name))
    ours, fresh = states(done.model), states(other.model)
    assert not all(torch.equal(ours[name], fresh[name]) for name in ours)
    other.load(tmp_path)
    theirs = states(other.model)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("family", ["bert", "vit"])
def test_gradients_are_the_same_with_checkpointed_activations(adapt, batch, family):
    grads = []
    for checkpointed in (False, True):
        done, _ = adapt(family, adapter_config("lora"), freezing_config("last_n", options={"n": 2}))
        if checkpointed:
            done.model.activation_checkpointing_enable()
        done.model.train()
        torch.manual_seed(0)
        done.model(**batch(family))["logits"].square().sum().backward()
        grads.append({name: p.grad for name, p in done.model.named_parameters() if p.requires_grad})
    assert all(torch.equal(grads[0][name], grads[1][name]) for name in grads[0])


def test_a_model_in_mixed_precision_can_be_merged(adapt, batch, tmp_path):
    import accelerate

    done, _ = adapt("bert", adapter_config("lora"))
    before = logits(done.model, batch("bert"))
    accelerate.state.AcceleratorState._reset_state()  # of tests before; transformers does the same for each Trainer
    prepared = accelerate.Accelerator(cpu=True, mixed_precision="bf16").prepare(done.model)
    accelerate.state.AcceleratorState._reset_state()
    assert prepared is done.model
    torch.testing.assert_close(logits(done.merged(), batch("bert")), before, rtol=0, atol=1e-6)
    assert "forward" in done.model.__dict__
