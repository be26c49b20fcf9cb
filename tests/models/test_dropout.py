"""Dropout shares: each reaches the modules that take it, and a name that does nothing is refused."""

from __future__ import annotations

import pytest
from torch import nn

from tests.tiny import IMAGE, LABELS, TEXT, auto_class, model_config
from tunebook.errors import ModelError
from tunebook.models.load import load_model

SHARES = {
    "bert": {"hidden_dropout_prob": "bert.embeddings.dropout", "classifier_dropout": "dropout"},
    "roberta": {"hidden_dropout_prob": "roberta.embeddings.dropout", "classifier_dropout": "classifier.dropout"},
    "distilbert": {"dropout": "distilbert.embeddings.dropout", "seq_classif_dropout": "dropout"},
    "modernbert": {"embedding_dropout": "model.embeddings.drop", "classifier_dropout": "drop"},
    "gpt2": {"embd_pdrop": "transformer.drop", "resid_pdrop": "transformer.h.0.mlp.dropout"},
    "vit": {"hidden_dropout_prob": "vit.embeddings.dropout"},
}


def load(saved, family, **settings):
    return load_model(model_config(name_or_path=saved(family), **settings), auto_class(family), LABELS, seed=1).model


def refused(saved, family, **settings):
    with pytest.raises(ModelError) as caught:
        load(saved, family, **settings)
    return {problem.key: problem.message for problem in caught.value.problems}


@pytest.mark.parametrize(("family", "name"), [(family, name) for family, names in SHARES.items() for name in names])
def test_a_share_reaches_the_module_that_takes_it(saved, family, name):
    before, after = load(saved, family), load(saved, family, dropout={name: 0.375})
    place = SHARES[family][name]
    assert before.get_submodule(place).p != 0.375
    assert after.get_submodule(place).p == 0.375
    assert getattr(after.config, name) == 0.375
    others = [
        [m.p for n, m in model.named_modules() if isinstance(m, nn.Dropout) and m.p != 0.375 and n != place]
        for model in (before, after)
    ]
    assert set(others[1]) <= set(others[0])


def test_attention_takes_its_own_share(saved):
    model = load(saved, "bert", dropout={"attention_probs_dropout_prob": 0.375})
    assert model.bert.encoder.layer[0].attention.self.dropout.p == 0.375
    assert model.bert.embeddings.dropout.p == 0.1


def test_a_typo_is_told_with_what_there_is(saved):
    told = refused(saved, "bert", dropout={"hiden_dropout_prob": 0.2})["model.dropout.hiden_dropout_prob"]
    assert "did you mean hidden_dropout_prob?" in told
    assert "It has attention_probs_dropout_prob=0.1, classifier_dropout=null, hidden_dropout_prob=0.1" in told
    assert "null: the value of another rate" in told


def test_a_setting_that_is_no_share_is_not_changed(saved):
    assert (
        "that is no dropout rate" in refused(saved, "bert", dropout={"hidden_size": 0.5})["model.dropout.hidden_size"]
    )


@pytest.mark.parametrize(
    ("family", "name"), [("distilbert", "qa_dropout"), ("gpt2", "summary_first_dropout"), ("roberta", "seq_dropout")]
)
def test_a_share_for_another_task_would_do_nothing(saved, family, name):
    told = refused(saved, family, dropout={name: 0.2})[f"model.dropout.{name}"]
    assert "no part of this model uses this rate" in told or "has no such dropout" in told


def test_an_architecture_without_dropout_says_so(saved):
    assert refused(saved, "resnet", dropout={"dropout": 0.2}) == {"model.dropout.dropout": "resnet has no dropout"}


def test_every_mistake_is_told_at_once(saved):
    told = refused(saved, "distilbert", dropout={"qa_dropout": 0.2, "dropot": 0.1}, drop_layers=9)
    assert told.keys() == {"model.dropout.qa_dropout", "model.dropout.dropot", "model.drop_layers"}


def test_a_head_of_ours_has_a_share_of_its_own(saved):
    model = load(saved, "bert", pooling="mean", head_widths=[8], dropout={"head_dropout": 0.375})
    assert [module.p for module in model.classifier if isinstance(module, nn.Dropout)] == [0.375, 0.375]
    assert model.backbone.embeddings.dropout.p == 0.1
    told = refused(saved, "bert", pooling="mean", dropout={"classifier_dropout": 0.2})
    assert "head_dropout" in told["model.dropout.classifier_dropout"]
    told = refused(saved, "bert", dropout={"head_dropout": 0.2})
    assert "model.pooling or model.head_widths" in told["model.dropout.head_dropout"]


def test_a_saved_head_of_ours_takes_other_shares(saved, tmp_path):
    load(saved, "bert", pooling="mean").save_pretrained(tmp_path)
    model = load(lambda _: tmp_path, "bert", dropout={"head_dropout": 0.375, "hidden_dropout_prob": 0.25})
    assert model.classifier.dropout.p == 0.375
    assert model.backbone.embeddings.dropout.p == 0.25


def test_every_family_is_tried_or_has_no_dropout():
    assert {*TEXT, *IMAGE} - {*SHARES} == {"resnet", "mobilenet_v2"}
