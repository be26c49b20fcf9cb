"""The classifier of our own: what it pools, what it keeps of the backbone, and how it is saved and found again."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, BartConfig

from tests.tiny import IMAGE, LABELS, LAYERS, TEXT, auto_class, model_config, tiny_tokenizer
from tunebook.errors import ModelError
from tunebook.models import classifier
from tunebook.models.classifier import pool
from tunebook.models.depth import find_depth
from tunebook.models.freezing import freeze
from tunebook.models.load import load_model
from tunebook.models.policies import head_only

FAMILIES = ["bert", "roberta", "distilbert", "modernbert", "gpt2", "vit", "resnet"]
POOLINGS = {**dict.fromkeys(TEXT, ["first", "mean", "max", "last"]), "vit": ["first", "mean", "max"]}
POOLINGS |= {"resnet": ["mean", "max"], "gpt2": ["mean", "max", "last"]}
BY_HAND = {"first": lambda r: r[0], "last": lambda r: r[-1], "mean": lambda r: r.mean(0), "max": lambda r: r.amax(0)}
EVERY = [(family, pooling) for family in FAMILIES for pooling in POOLINGS[family]]
KIND = "single_label_classification"


def load(folder, family, seed=1, labels=LABELS, kind=KIND, **settings):
    return load_model(model_config(name_or_path=folder, **settings), auto_class(family), labels, kind, seed)


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def padded(batch, family):
    """A batch whose texts are of unequal length."""
    inputs = {name: values for name, values in batch(family).items() if name != "labels"}
    if family in TEXT:
        for row, length in enumerate([9, 4, 1, 7, 2, 9]):
            inputs["attention_mask"][row, length:] = 0
            inputs["input_ids"][row, length:] = 0  # by which GPT-2's own head knows padding
    return inputs


# ---- pooling ----


@pytest.mark.parametrize("left", [False, True])
def test_pooling_looks_at_real_tokens_only(left):
    hidden = torch.arange(24.0).reshape(2, 4, 3)
    mask = torch.tensor([[1, 1, 1, 1], [0, 0, 1, 1] if left else [1, 1, 0, 0]])
    real = hidden[1, 2:] if left else hidden[1, :2]
    hidden = torch.where(mask[..., None] == 1, hidden, torch.tensor(1e4))
    found = {"last_hidden_state": hidden}
    expected = {"first": real[0], "last": real[-1], "mean": real.mean(0), "max": real.amax(0)}
    whole = {"first": hidden[0, 0], "last": hidden[0, -1], "mean": hidden[0].mean(0), "max": hidden[0].amax(0)}
    for pooling in expected:
        pooled = pool(found, pooling, mask)
        assert torch.equal(pooled[1], expected[pooling]), pooling
        assert torch.equal(pooled[0], whole[pooling]), pooling


def test_pooling_of_maps_goes_over_places():
    maps = torch.randn(2, 5, 3, 4)
    assert torch.allclose(pool({"last_hidden_state": maps}, "mean", None), maps.mean((2, 3)))
    assert torch.equal(pool({"last_hidden_state": maps}, "max", None), maps.amax((2, 3)))


def test_mean_and_max_leave_the_class_token_out():
    hidden = torch.randn(2, 6, 3)
    assert torch.allclose(pool({"last_hidden_state": hidden}, "mean", None, 2), hidden[:, 2:].mean(1))
    assert torch.equal(pool({"last_hidden_state": hidden}, "max", None, 2), hidden[:, 2:].amax(1))
    assert torch.equal(pool({"last_hidden_state": hidden}, "first", None, 2), hidden[:, 0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_the_last_token_is_found_in_long_rows_of_few_digits(dtype):
    hidden = torch.randn(2, 700, 2).to(dtype)
    mask = torch.tensor([[1] * 700, [1] * 301 + [0] * 399])
    pooled = pool({"last_hidden_state": hidden}, "last", mask)
    assert torch.equal(pooled, torch.stack([hidden[0, 699], hidden[1, 300]]))
    assert torch.equal(pool({"last_hidden_state": hidden}, "first", mask.flip(1))[1], hidden[1, 399])


def test_a_prefix_has_a_mask_but_no_hidden_states():
    hidden, mask = torch.randn(1, 3, 2), torch.tensor([[1, 1, 1, 1, 0]])
    assert torch.allclose(pool({"last_hidden_state": hidden}, "mean", mask), hidden[:, :2].mean(1))


def test_a_row_without_tokens_gives_numbers():
    hidden, mask = torch.randn(1, 3, 2), torch.zeros(1, 3, dtype=torch.long)
    for pooling in POOLINGS["bert"]:
        assert pool({"last_hidden_state": hidden}, pooling, mask).isfinite().all()


# ---- on every family ----


@pytest.mark.parametrize(("family", "pooling"), EVERY)
def test_logits_are_those_of_backbone_pooling_and_mlp_by_hand(saved, batch, family, pooling):
    loaded = load(saved(family), family, pooling=pooling, head_widths=[16])
    if pooling in {"first", "mean"} and family == "modernbert":
        assert isinstance(loaded.model, classifier.BackboneForSequenceClassification)
    backbone = AutoModel.from_pretrained(saved(family))
    kept = backbone.state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in loaded.model.backbone.state_dict().items())
    assert {name.split(".")[0] for name in loaded.head_report.new} == {"classifier"}

    inputs = padded(batch, family)
    hidden = backbone.eval()(**inputs)["last_hidden_state"]
    if family == "resnet":
        hidden = hidden.flatten(2).transpose(1, 2)
    lengths = inputs["attention_mask"].sum(1) if family in TEXT else torch.full((6,), hidden.shape[1])
    front = 1 if family == "vit" and pooling != "first" else 0
    rows = [hidden[row, front:length] for row, length in enumerate(lengths.tolist())]
    pooled = torch.stack([BY_HAND[pooling](row) for row in rows])
    dense, out = loaded.model.classifier.dense0, loaded.model.classifier.out
    expected = out(functional.gelu(dense(pooled)))
    assert expected.shape == (6, 3)
    assert torch.allclose(loaded.model.eval()(**inputs)["logits"], expected, atol=1e-6)


@pytest.mark.parametrize(("family", "pooling"), EVERY)
def test_it_is_saved_and_loaded_to_the_bit(saved, batch, family, pooling, tmp_path):
    model = load(saved(family), family, pooling=pooling, head_widths=[16, 8]).model.eval()
    model.save_pretrained(tmp_path)
    inputs = padded(batch, family)
    ours = load(tmp_path, family, seed=99)
    assert ours.head_report.new == ()
    auto = getattr(transformers, auto_class(family)).from_pretrained(tmp_path, trust_remote_code=False)
    resumed, told = type(model).from_pretrained(tmp_path, dtype=model.dtype, output_loading_info=True)
    assert not told["missing_keys"]
    assert not told["unexpected_keys"]
    for again in (ours.model, auto, resumed):
        assert type(again) is type(model)
        assert same(weights(again), weights(model))
        # Where the weights lie in memory moves the last digits.
        assert torch.allclose(again.eval()(**inputs)["logits"], model(**inputs)["logits"], atol=1e-6)
        assert again.config.id2label == dict(enumerate(LABELS))


@pytest.mark.parametrize("family", FAMILIES)
def test_depth_and_freezing_find_its_parts(saved, batch, family):
    plain = find_depth(load(saved(family), family).model)
    model = load(saved(family), family, pooling=POOLINGS[family][1], head_widths=[16]).model
    depth = find_depth(model)
    assert len(depth.layers) == len(plain.layers) == LAYERS
    assert all(layer.startswith("backbone.") for layer in depth.layer_modules)
    assert len(depth.embeddings.parameter_names) == len(plain.embeddings.parameter_names)
    head = ("classifier.dense0.weight", "classifier.dense0.bias", "classifier.out.weight", "classifier.out.bias")
    assert depth.head.parameter_names == head

    freeze(model, head_only.rules(depth, head_only.Options()))
    before = weights(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    model.eval()(**batch(family)).loss.backward()
    optimizer.step()
    after = weights(model)
    assert {name for name in before if not torch.equal(before[name], after[name])} >= {head[0], head[2]}
    assert all(torch.equal(before[name], after[name]) for name in before if name not in head)


@pytest.mark.parametrize(
    ("family", "out"), [("bert", "classifier"), ("vit", "classifier"), ("gpt2", "score"), ("resnet", "classifier.1")]
)
def test_default_pooling_is_the_architectures_own(saved, batch, family, out):
    own = load(saved(family), family).model.eval()
    ours = load(saved(family), family, head_widths=[]).model.eval()
    theirs = own.get_submodule(out)
    with torch.no_grad():
        ours.classifier.out.weight.copy_(theirs.weight)
        ours.classifier.out.bias.copy_(theirs.bias if theirs.bias is not None else torch.zeros(3))
    inputs = padded(batch, family)
    assert torch.allclose(ours(**inputs)["logits"], own(**inputs)["logits"], atol=1e-6)


@pytest.mark.parametrize(
    ("family", "pooling"), [("roberta", "first"), ("distilbert", "first"), ("modernbert", "first"), ("bert", "pooler")]
)
def test_default_pooling_is_stated(saved, family, pooling):
    assert load(saved(family), family, head_widths=[8]).model.config.pooling == pooling


def test_no_pooler_is_kept_that_nothing_uses(saved):
    for family in ("bert", "roberta", "vit"):
        model = load(saved(family), family, pooling="mean").model
        assert not [name for name, _ in model.named_parameters() if "pooler" in name]


def test_modernberts_own_setting_is_used_where_it_has_one(saved, batch):
    native = load(saved("modernbert"), "modernbert", pooling="mean")
    assert type(native.model) is transformers.ModernBertForSequenceClassification
    assert native.model.config.classifier_pooling == "mean"
    assert native.head_report.new == ("classifier.weight", "classifier.bias")
    first = load(saved("modernbert"), "modernbert", pooling="first").model
    assert first.config.classifier_pooling == "cls"
    inputs = padded(batch, "modernbert")
    assert not torch.equal(first.eval()(**inputs)["logits"], native.model.eval()(**inputs)["logits"])
    assert isinstance(load(saved("modernbert"), "modernbert", pooling="max").model, classifier.BackboneClassifier)


def test_the_seed_decides_the_head_alone(saved):
    def head(**settings):
        torch.rand(7)
        model = load(saved("bert"), "bert", head_widths=[16], **{"pooling": "mean", **settings}).model
        return weights(model.classifier)

    assert same(head(), head(pooling="max"))
    assert same(head(), head(drop_layers=2, reinit_layers=1))
    assert not same(head(), head(seed=2))
    assert head()["dense0.weight"].std().item() == pytest.approx(0.02, rel=0.15)


# ---- what it is told to answer ----


def test_numbers_and_several_labels(saved, batch):
    inputs = {name: values for name, values in batch("bert").items() if name != "labels"}
    number = load(saved("bert"), "bert", labels=[], kind="regression", pooling="mean").model.eval()
    targets = torch.randn(6)
    found = number(**inputs, labels=targets)
    assert found.logits.shape == (6, 1)
    assert torch.allclose(found.loss, functional.mse_loss(found.logits[:, 0], targets))
    several = load(saved("bert"), "bert", kind="multi_label_classification", pooling="max").model.eval()
    targets = torch.randint(2, (6, 3)).float()
    found = several(**inputs, labels=targets)
    assert torch.allclose(found.loss, functional.binary_cross_entropy_with_logits(found.logits, targets))
    logits, *_ = several(**inputs, return_dict=False)
    assert torch.equal(logits, found.logits)


def test_activations_can_be_recomputed_to_save_memory(saved, batch):
    gradients = []
    for recompute in (False, True):
        model = load(saved("bert"), "bert", pooling="mean", head_widths=[8], dropout={"head_dropout": 0}).model.eval()
        if recompute:
            model.activation_checkpointing_enable({"use_reentrant": False})
            model.train()
            for module in model.modules():
                if isinstance(module, nn.Dropout):
                    module.p = 0.0
        model(**batch("bert")).loss.backward()
        gradients.append(model.backbone.encoder.layer[0].output.dense.weight.grad)
    assert torch.allclose(*gradients, atol=1e-7)


def test_it_can_be_built_from_scratch(batch):
    config = model_config(config={"model_type": "resnet", **IMAGE["resnet"]}, pooling="max", head_widths=[8])
    first, again = (load_model(config, auto_class("resnet"), LABELS, seed=3) for _ in range(2))
    assert first.head_report.from_scratch
    assert same(weights(first.model), weights(again.model))
    assert first.model.config.features == 32
    assert first.model.eval()(pixel_values=batch("resnet")["pixel_values"])["logits"].shape == (6, 3)


# ---- a saved one ----


def test_a_saved_one_takes_another_pooling_or_another_head(saved, tmp_path):
    model = load(saved("bert"), "bert", pooling="mean", head_widths=[16]).model
    model.save_pretrained(tmp_path)
    other = load(tmp_path, "bert", pooling="max")
    assert other.model.config.pooling == "max"
    assert same(weights(other.model), weights(model))
    wider = load(tmp_path, "bert", head_widths=[24])
    assert len(wider.head_report.new) == 3  # the last bias fits
    assert wider.model.classifier.dense0.out_features == 24
    assert same(weights(wider.model.backbone), weights(model.backbone))
    shorter = load(tmp_path, "bert", drop_layers=1, reinit_layers=1)
    assert len(find_depth(shorter.model).layers) == LAYERS - 1
    assert all(name.startswith("backbone.encoder.layer.2.") for name in shorter.reinitialized)
    fewer = load(tmp_path, "bert", labels=["a", "b"])
    assert fewer.model.classifier.out.out_features == 2


def test_a_saved_one_of_images_pools_what_images_have(saved, tmp_path):
    load(saved("vit"), "vit", pooling="mean").model.save_pretrained(tmp_path)
    assert load(tmp_path, "vit", pooling="first").model.config.pooling == "first"
    with pytest.raises(ModelError, match="use first or mean or max"):
        load(tmp_path, "vit", pooling="last")
    with pytest.raises(ModelError, match="a vit model cannot do SequenceClassification"):
        load(tmp_path, "bert")


def test_its_configuration_answers_for_the_backbone(saved, tmp_path):
    model = load(saved("bert"), "bert", pooling="mean").model
    assert (model.config.hidden_size, model.config.num_hidden_layers, model.config.pad_token_id) == (32, LAYERS, 0)
    assert model.get_input_embeddings() is model.backbone.embeddings.word_embeddings
    model.config.pad_token_id = 4
    model.save_pretrained(tmp_path)
    again = AutoConfig.from_pretrained(tmp_path, trust_remote_code=False)
    assert again.pad_token_id == again.backbone.pad_token_id == 4
    assert str(saved("bert")) not in (tmp_path / "config.json").read_text()
    with pytest.raises(AttributeError, match="has no setting 'hiden_size'"):
        _ = model.config.hiden_size


@pytest.mark.parametrize(("asked", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_weights_have_the_dtype_that_is_asked_for(saved, asked, dtype):
    model = load(saved("bert"), "bert", pooling="mean", head_widths=[8], dtype=asked).model
    assert {parameter.dtype for parameter in model.parameters()} == {dtype}


def test_attention_is_the_one_that_is_asked_for(saved, tmp_path):
    model = load(saved("bert"), "bert", pooling="mean", attn_implementation="eager").model
    assert model.backbone.config._attn_implementation == "eager"
    model.save_pretrained(tmp_path)
    assert load(tmp_path, "bert", attn_implementation="eager").model.backbone.config._attn_implementation == "eager"


ALONE = """
import json, sys
sys.modules["tunebook"] = None
from transformers import pipeline
try:
    pipeline("text-classification", model=sys.argv[1])
except ValueError as error:
    assert "trust_remote_code=True" in str(error), error
else:
    raise SystemExit("loaded without its code")
answer = pipeline("text-classification", model=sys.argv[1], trust_remote_code=True)
inputs = answer.tokenizer("a warm and funny film", return_tensors="pt")
print("", json.dumps(answer.model(**inputs).logits.tolist()), sep="\\n")
"""


def test_without_tunebook_it_loads_with_its_own_code_or_not_at_all(saved, tmp_path):
    folder = tmp_path / "model"
    model = load(saved("bert"), "bert", pooling="mean", head_widths=[16]).model.eval()
    model.save_pretrained(folder)
    tokenizer = tiny_tokenizer()
    tokenizer.save_pretrained(folder)
    environment = {**os.environ, "HF_MODULES_CACHE": str(tmp_path / "modules"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(folder)], env=environment, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    expected = model(**tokenizer("a warm and funny film", return_tensors="pt")).logits
    assert torch.allclose(torch.tensor(json.loads(done.stdout.splitlines()[-1])), expected, atol=1e-6)


# ---- what is refused ----


@pytest.mark.parametrize(
    ("family", "pooling", "said"),
    [
        ("vit", "last", "vit has no last token that represents the whole image; use first or mean or max"),
        ("resnet", "first", "resnet has no first token that represents the whole image; use mean or max"),
        ("resnet", "last", "use mean or max"),
        ("gpt2", "first", "gpt2 has no first token that represents the whole text; use mean or max or last"),
    ],
)
def test_a_pooling_that_the_architecture_has_nothing_for(saved, family, pooling, said):
    with pytest.raises(ModelError, match=said) as caught:
        load(saved(family), family, pooling=pooling)
    assert caught.value.problems[0].key == "model.pooling"


def test_a_checkpoint_without_the_pooler_that_its_own_head_uses(saved, tmp_path):
    model = AutoModelForSequenceClassification.from_pretrained(saved("bert"))
    state = {name: value for name, value in model.state_dict().items() if "pooler" not in name}
    model.save_pretrained(tmp_path, state_dict=state)
    with pytest.raises(ModelError, match=r"has no pooler .* use first, mean, max or last"):
        load(tmp_path, "bert", head_widths=[8])
    assert load(tmp_path, "bert", head_widths=[8], pooling="mean").model.config.pooling == "mean"


def test_a_backbone_that_one_kind_of_input_does_not_run_is_refused():
    part = {"num_hidden_layers": 1, "hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    config = {"model_type": "clip", "text_config": {**part, "vocab_size": 20}, "vision_config": part}
    with pytest.raises(ModelError, match=r"CLIPModel cannot be run on pixel_values alone, so no head of ours fits"):
        load_model(model_config(config=config, pooling="mean"), auto_class("vit"), LABELS)


def test_encoder_decoders_and_backbones_that_do_not_fit_are_refused(tmp_path, saved):
    settings = BartConfig(
        vocab_size=20, d_model=8, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=8, decoder_ffn_dim=8,
    ).to_dict()  # fmt: skip
    kept = {name: value for name, value in settings.items() if name in {"vocab_size", "d_model", "model_type"}}
    with pytest.raises(ModelError, match=r"no head of ours for a bart model for SequenceClassification"):
        load_model(model_config(config=kept, pooling="mean"), auto_class("bert"), LABELS)
    from shutil import copy, copytree

    folder = copytree(saved("bert"), tmp_path / "other")
    copy(saved("distilbert") / "model.safetensors", folder / "model.safetensors")
    with pytest.raises(ModelError, match="has other sizes than BertModel, or lacks"):
        load(folder, "bert", pooling="mean")


def test_a_model_that_an_earlier_version_saved_loads_and_is_saved_under_todays_names(saved, batch, tmp_path):
    model = load(saved("bert"), "bert", pooling="mean", head_widths=[8]).model.eval()
    model.save_pretrained(tmp_path / "old")
    weights = load_file(tmp_path / "old" / "model.safetensors")
    renamed = {re.sub(r"^backbone\.", "trunk.", name): value for name, value in weights.items()}
    save_file(renamed, tmp_path / "old" / "model.safetensors", {"format": "pt"})
    config = json.loads((tmp_path / "old" / "config.json").read_text())
    config["trunk"] = config.pop("backbone")
    (tmp_path / "old" / "config.json").write_text(json.dumps(config))
    inputs = padded(batch, "bert")
    again = load(tmp_path / "old", "bert").model.eval()
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "old").eval()
    assert torch.equal(again(**inputs).logits, model(**inputs).logits)
    assert torch.equal(plain(**inputs).logits, model(**inputs).logits)
    again.save_pretrained(tmp_path / "new")
    assert load_file(tmp_path / "new" / "model.safetensors").keys() == weights.keys()
    assert "trunk" not in json.loads((tmp_path / "new" / "config.json").read_text())
