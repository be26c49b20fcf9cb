"""Models of every kind of task: loading, depth, freezing and adapters of decoders, encoder-decoders and token heads."""

from __future__ import annotations

import json
from collections import Counter

import peft
import pytest
import torch
import transformers
from transformers import AutoConfig, AutoModel, GenerationConfig

from tests.tiny import IMAGE, LABELS, MAX_LENGTH, TASK_MODELS, TEXT, model_config, tiny_task_model, tiny_tokenizer
from tunebook.config import registry
from tunebook.config.model_groups import AdapterConfig, FreezingConfig
from tunebook.errors import FreezingError, ModelError
from tunebook.models.adaptation.insert import AdapterBase, insert_adapter
from tunebook.models.depth import find_depth
from tunebook.models.load import load_model
from tunebook.models.parameter_kinds import constant_parameters
from tunebook.models.plan import plan_freezing, set_trained
from tunebook.models.processor import load_tokenizer, position_count

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

NO_HEAD = ["llama_tied", "gpt2", "bart", "mbart", "marian", "t5"]
"""Their output layer is tied to the embeddings."""
HEADS = {
    "llama": ["lm_head.weight"],
    "qwen3": ["lm_head.weight"],
    "t5_untied": ["lm_head.weight"],
    "bert_tokens": ["classifier.weight", "classifier.bias"],
    "bert_spans": ["qa_outputs.weight", "qa_outputs.bias"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a tiny model of `TASK_MODELS`."""
    root = tmp_path_factory.mktemp("task_models")
    return lambda name: root / name if (root / name).exists() else tiny_task_model(name, root / name)


@pytest.fixture
def load(folder):
    """Loads one, every parameter moved off its initial value."""

    def one(name, **settings):
        labels = LABELS if name == "bert_tokens" else []
        loaded = load_model(model_config(name_or_path=folder(name), **settings), TASK_MODELS[name][0], labels, seed=1)
        torch.manual_seed(1)
        with torch.no_grad():
            constant = constant_parameters(loaded.model)
            for parameter in (one for key, one in loaded.model.named_parameters() if key not in constant):
                parameter.add_(torch.randn_like(parameter) * 0.05)
        return loaded

    return one


def inputs_of(name):
    """Six texts, with the targets of the model's class."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, 60, (6, 9), generator=generator)
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if name == "bert_spans":
        return batch | {"start_positions": ids[:, 0] % 9, "end_positions": ids[:, 1] % 9}
    return batch | {"labels": ids % 3 if name == "bert_tokens" else ids}


def freezing_config(policy, **options):
    return FreezingConfig(policy=policy, options=registry.load("policy", policy).Options(**options))


def train(model, batch, steps=1):
    """AdamW with weight decay, without dropout."""
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.02, weight_decay=0.1)
    model.eval()
    for _ in range(steps):
        optimizer.zero_grad()
        model(**batch)["loss"].backward()
        optimizer.step()


def values_of(model):
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


# ---- loading ----


@pytest.mark.parametrize("name", TASK_MODELS)
def test_a_language_models_head_is_loaded_and_others_are_new(name, folder):
    labels = LABELS if name == "bert_tokens" else []
    loaded = load_model(model_config(name_or_path=folder(name)), TASK_MODELS[name][0], labels)
    new = HEADS[name] if name.startswith("bert_") else []
    assert [entry for entry in loaded.head_report.new if "logits_bias" not in entry] == new
    assert loaded.auto_class == TASK_MODELS[name][0]
    assert type(loaded.model) in getattr(transformers, loaded.auto_class)._model_mapping.values()
    if labels:
        assert loaded.model.config.id2label == dict(enumerate(labels))


@pytest.mark.parametrize("name", ["llama", "qwen3"])
def test_a_checkpoint_without_its_output_layer_is_refused_unless_declared(name, folder, tmp_path):
    AutoModel.from_pretrained(folder(name)).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"model\.head=\[lm_head\]"):
        load_model(model_config(name_or_path=tmp_path), "AutoModelForCausalLM", [])
    declared = load_model(model_config(name_or_path=tmp_path, head=["lm_head"]), "AutoModelForCausalLM", [])
    assert declared.head_report.new == ("lm_head.weight",)


def test_a_class_whose_backbone_has_another_name_is_refused_without_offering_a_new_backbone(folder):
    with pytest.raises(ModelError, match="another architecture or other sizes"):
        load_model(model_config(name_or_path=folder("llama")), "AutoModelForQuestionAnswering", [])


def test_generation_settings_are_saved_as_they_were(folder, tmp_path):
    first = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder("bart"))
    first.generation_config = GenerationConfig(num_beams=3, max_new_tokens=7, decoder_start_token_id=3)
    first.save_pretrained(tmp_path / "first")
    loaded = load_model(model_config(name_or_path=tmp_path / "first"), "AutoModelForSeq2SeqLM", [])
    loaded.model.save_pretrained(tmp_path / "again")
    saved = [json.loads((tmp_path / part / "generation_config.json").read_text()) for part in ("first", "again")]
    assert saved[0] == saved[1]
    assert (saved[1]["num_beams"], saved[1]["max_new_tokens"]) == (3, 7)


@pytest.mark.parametrize(("auto_class", "family", "settings"), [
    ("AutoModelForObjectDetection", "yolos", {**IMAGE["vit"], "image_size": [16, 16], "num_detection_tokens": 5}),
    ("AutoModelForSemanticSegmentation", "segformer", {"hidden_sizes": [8, 8, 8, 8], "depths": [1, 1, 1, 1],
     "num_attention_heads": [1, 1, 1, 1], "decoder_hidden_size": 8}),
])  # fmt: skip
def test_image_tasks_with_and_without_labels(auto_class, family, settings, tmp_path):
    auto = getattr(transformers, auto_class)
    auto.from_config(AutoConfig.for_model(family, **settings, num_labels=5)).save_pretrained(tmp_path)
    loaded = load_model(model_config(name_or_path=tmp_path), auto_class, LABELS)
    assert loaded.model.config.num_labels == 3
    assert loaded.head_report.new
    assert loaded.head_report.loaded
    same = load_model(model_config(name_or_path=tmp_path), auto_class, [])
    assert same.head_report.new == ()
    assert find_depth(same.model).layers
    assert find_depth(same.model).head.parameter_names


# ---- from scratch ----


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """The folder of a tokenizer, without a length and a chat template of its own."""
    saved = tiny_tokenizer()
    saved.model_max_length = int(1e30)
    saved.chat_template = "{% for message in messages %}{{ message.content }}{% endfor %}"
    saved.save_pretrained(tmp_path_factory.mktemp("tokenizer"))
    return saved.name_or_path or str(tmp_path_factory.getbasetemp() / "tokenizer0")


@pytest.mark.parametrize("name", TASK_MODELS)
def test_from_scratch_sizes_and_ids_follow_from_the_tokenizer(name, tokenizer):
    auto_class, family, settings = TASK_MODELS[name]
    own = {key: value for key, value in settings.items() if "token_id" not in key and "vocab" not in key}
    config = model_config(config={"model_type": family, **own}, tokenizer=tokenizer)
    loaded = load_model(config, auto_class, LABELS if name == "bert_tokens" else [])
    settings = loaded.model.config
    assert loaded.head_report.from_scratch
    assert settings.vocab_size == len(tiny_tokenizer())
    assert (settings.pad_token_id, settings.eos_token_id) == (0, 3)
    assert getattr(settings, "bos_token_id", 2) == 2, "T5 has none"
    if family in {"bart", "t5", "marian"}:
        assert settings.decoder_start_token_id == (3 if family == "bart" else 0)
    if auto_class.endswith("LM"):
        generated = loaded.model.generate(torch.tensor([[5, 6, 7]]), max_new_tokens=4, do_sample=False)
        assert generated.shape[0] == 1


def test_what_the_recipe_states_wins_over_the_tokenizer(tokenizer):
    _, family, settings = TASK_MODELS["t5"]
    stated = {name: value for name, value in settings.items() if name != "bos_token_id"} | {
        "vocab_size": 200,
        "decoder_start_token_id": 4,
    }
    config = model_config(config={"model_type": family, **stated}, tokenizer=tokenizer)
    model = load_model(config, "AutoModelForSeq2SeqLM", []).model
    assert (model.config.vocab_size, model.config.decoder_start_token_id) == (200, 4)


def test_a_tokenizer_that_does_not_exist_names_its_key(tmp_path):
    config = model_config(config={"model_type": "llama"}, tokenizer=str(tmp_path / "none"))
    with pytest.raises(ModelError, match="model.tokenizer"):
        load_tokenizer(config)


@pytest.mark.parametrize(
    ("family", "count"), [("bert", MAX_LENGTH + 2), ("roberta", MAX_LENGTH + 1), ("gpt2", MAX_LENGTH)]
)
def test_a_tokenizer_without_a_length_gets_that_of_the_positions(family, count, tokenizer):
    config = model_config(config={"model_type": family, **TEXT[family]}, tokenizer=tokenizer)
    assert load_tokenizer(config).model_max_length == count
    assert load_tokenizer(config).chat_template


def test_positions_of_encoder_decoders_and_of_models_without_a_table():
    counts = {}
    for name in ("bart", "marian", "t5", "llama"):
        _, family, settings = TASK_MODELS[name]
        counts[name] = position_count(AutoConfig.for_model(family, **{**settings, "decoder_vocab_size": 50}))
    assert counts == {"bart": MAX_LENGTH, "marian": MAX_LENGTH, "t5": None, "llama": None}


# ---- depth and freezing ----


@pytest.mark.parametrize("name", TASK_MODELS)
def test_depth_covers_every_parameter_once_and_knows_the_head(name, load):
    model = load(name).model
    depth = find_depth(model)
    counted = Counter(entry for group in depth.groups for entry in group.parameter_names)
    assert counted == Counter(entry for entry, _ in model.named_parameters())
    assert list(depth.head.parameter_names) == HEADS.get(name, [])
    assert len(depth.layers) == 4
    assert all(group.parameter_names for group in depth.groups[:-1])
    if model.config.is_encoder_decoder:
        parts = ["encoder" if "encoder" in layer.split(".") else "decoder" for layer in depth.layer_modules]
        assert parts == ["encoder", "encoder", "decoder", "decoder"]
        assert not any("embed" in entry for layer in depth.layers for entry in layer.parameter_names)


def test_a_decoder_of_one_small_layer_counts(folder):
    _, family, settings = TASK_MODELS["bart"]
    sizes = {"vocab_size": 50, "encoder_layers": 6, "decoder_layers": 1}
    model = transformers.AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model(family, **{**settings, **sizes}))
    assert len(find_depth(model).layers) == 7


def test_sinusoidal_positions_never_train(load):
    plan = plan_freezing(load("marian").model, freezing_config("none"))
    assert {name for name in dict(load("marian").model.named_parameters()) if name not in plan.ever} == {
        "model.encoder.embed_positions.weight",
        "model.decoder.embed_positions.weight",
    }
    assert plan.phases[0].where == "everything"


POLICIES = {
    "embeddings": {},
    "first_n": {"n": 1},
    "last_n": {"n": 1},
    "head_only": {},
    "patterns": {"rules": [{"pattern": "bias$", "train": False}], "default": "train"},
}


@pytest.mark.parametrize("name", ["llama", "gpt2", "bart", "t5", "t5_untied", "bert_tokens"])
@pytest.mark.parametrize("policy", POLICIES)
def test_one_step_moves_what_trains_and_nothing_else(policy, name, load):
    model = load(name).model
    if policy == "head_only" and name in NO_HEAD:
        pytest.skip("it is refused")
    if policy == "patterns" and not any(entry.endswith("bias") for entry, _ in model.named_parameters()):
        pytest.skip("no biases")
    plan = plan_freezing(model, freezing_config(policy, **POLICIES[policy]))
    set_trained(model, plan.ever)
    before = values_of(model)
    train(model, inputs_of(name))
    moved = {entry for entry, value in model.named_parameters() if not torch.equal(value, before[entry])}
    assert moved == set(plan.ever)
    assert moved < set(before)
    frozen = {
        "embeddings": plan.depth.groups[:1],
        "first_n": plan.depth.groups[:2],
        "head_only": plan.depth.groups[:-1],
    }
    frozen["last_n"] = plan.depth.groups[: len(plan.depth.groups) - 2]
    if policy in frozen:
        assert set(before) - moved == {entry for group in frozen[policy] for entry in group.parameter_names}


@pytest.mark.parametrize("name", NO_HEAD)
@pytest.mark.parametrize("policy", ["head_only", "head_then_all"])
def test_training_the_head_of_tied_weights_alone_is_refused(policy, name, load):
    with pytest.raises(FreezingError, match="freezing.policy .*tied"):
        plan_freezing(load(name).model, freezing_config(policy))


@pytest.mark.parametrize("name", ["llama", "gpt2", "bart", "t5", "bert_tokens"])
def test_gradual_goes_from_the_head_to_the_embeddings(name, load):
    plan = plan_freezing(load(name).model, freezing_config("gradual", every_epochs=1))
    names = [phase.where for phase in plan.phases]
    assert names[-1] == "everything"
    assert names[0] == ("head" if HEADS.get(name) else "layer 3")
    sizes = [len(phase.trained) for phase in plan.phases]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == len(sizes)


# ---- adapters ----

TASK_TYPES = {
    "llama": "CAUSAL_LM", "qwen3": "CAUSAL_LM", "gpt2": "CAUSAL_LM", "bart": "SEQ_2_SEQ_LM", "marian": "SEQ_2_SEQ_LM",
    "t5": "SEQ_2_SEQ_LM", "t5_untied": "SEQ_2_SEQ_LM", "bert_tokens": "TOKEN_CLS", "bert_spans": "QUESTION_ANS",
}  # fmt: skip


@pytest.mark.parametrize("name", TASK_TYPES)
def test_lora_trains_saves_and_loads_with_plain_peft(name, load, folder, tmp_path):
    loaded = load(name)
    loaded.model.save_pretrained(tmp_path / "base")
    adapter = AdapterConfig(method="lora", save="both", options=registry.load("adapter", "lora").Options(r=4))
    base = AdapterBase.of(model_config(name_or_path=tmp_path / "base"))
    freezing = freezing_config("none")
    done = insert_adapter(loaded, adapter, plan_freezing(loaded.model, freezing).ever, base, 3, longest=int(1e30))
    plan = plan_freezing(done.model, freezing, done.fixed)
    set_trained(done.model, plan.ever)
    before, batch = values_of(done.model), inputs_of(name)
    train(done.model, batch, steps=3)
    moved = {entry for entry, value in done.model.named_parameters() if not torch.equal(value, before[entry])}
    assert moved == set(plan.ever)
    whole = {entry for entry in moved if "lora_" not in entry}
    new = HEADS[name] if name.startswith("bert_") else []
    assert {entry.replace("modules_to_save.default.", "") for entry in whole} == set(new)
    with torch.no_grad():
        ours = done.model(**batch)
    done.save(tmp_path / "adapter")
    assert json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["task_type"] == TASK_TYPES[name]
    plain = getattr(transformers, loaded.auto_class).from_pretrained(tmp_path / "base")
    again = peft.PeftModel.from_pretrained(plain, tmp_path / "adapter").eval()
    done.save(tmp_path / "model")
    done.finish(tmp_path / "model", tmp_path / "beside")
    merged = getattr(transformers, loaded.auto_class).from_pretrained(tmp_path / "model").eval()
    with torch.no_grad():
        for other in (again, merged):
            torch.testing.assert_close(other(**batch)["loss"], ours["loss"], rtol=1e-5, atol=1e-5)
    assert (tmp_path / "model" / "generation_config.json").exists() == loaded.auto_class.endswith("LM")
