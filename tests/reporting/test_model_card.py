"""The model card: the Hub's own reader takes it, and it says what the run measured."""

from __future__ import annotations

import warnings

import pytest
from huggingface_hub import ModelCard

from tunebook.reporting.model_card import card_data, usage, write_card
from tunebook.reporting.summary import LabelFigures


def test_the_hubs_reader_gives_back_the_header(make_summary, tmp_path):
    summary = make_summary()
    write_card(tmp_path / "README.md", summary)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        card = ModelCard.load(tmp_path / "README.md")
    assert card.data.to_dict() == card_data(summary).to_dict()
    assert card.data.base_model == "owner/tiny-bert"
    assert card.data.pipeline_tag == "text-classification"
    measured = {(r.dataset_split, r.metric_name): r.metric_value for r in card.data.eval_results}
    assert measured == {
        (split, name): value
        for split, numbers in summary.metrics.items()
        for name, value in numbers.items()
        if name != "loss"
    }
    averaged = [r for r in card.data.eval_results if r.metric_name == "f1_macro"]
    assert {(r.metric_type, r.metric_args["average"]) for r in averaged} == {("f1", "macro")}


def test_the_body_is_honest(make_summary, tmp_path):
    write_card(tmp_path / "README.md", make_summary())
    text = ModelCard.load(tmp_path / "README.md").text
    for said in ["one seed (7)", "| accuracy | 0.8125 | 0.7000 |", "python run.py +recipe=bert_sentiment"]:
        assert said in text
    assert "Licence of the data: CC0." in text
    assert "3 rows stand in both train and test" in text
    assert 'pipeline("text-classification", model="model")' in text


def test_no_licence_is_made_up(make_summary, tmp_path):
    write_card(tmp_path / "README.md", make_summary(licence=None))
    card = ModelCard.load(tmp_path / "README.md")
    assert "license" not in card.data.to_dict()
    assert "not stated" in card.text


@pytest.mark.parametrize("name", ["bert from scratch", "bert", "./owner/model", "/data/model", "here/model"])
def test_only_a_hub_id_is_a_parent(make_summary, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here" / "model").mkdir(parents=True)
    assert "base_model" not in card_data(make_summary(model_name=name)).to_dict()


def test_a_run_without_evaluation_has_a_card_too(make_summary, tmp_path):
    summary = make_summary(metrics={}, monitor="", task="image_classification", pipeline="image-classification")
    write_card(tmp_path / "README.md", summary)
    card = ModelCard.load(tmp_path / "README.md")
    assert card.data.eval_results is None
    assert "picture.png" in card.text


def test_backticks_in_a_recipe_do_not_break_out(make_summary, tmp_path):
    write_card(tmp_path / "README.md", make_summary(recipe_text="# ```\n# # Heading\n# ```\n"))
    assert "````yaml" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_a_number_is_the_score(make_summary):
    said = usage(make_summary(kind="number", label_names=[]), "model")
    assert 'function_to_apply="none")[0]["score"]' in said


def test_several_labels_are_answered_from_their_thresholds_on(make_summary):
    figures = [LabelFigures(name="joy", precision=1, recall=1, f1=1, support=9, threshold=0.3, rare=False)]
    said = usage(make_summary(kind="classes", label_figures=figures), "model")
    assert "top_k=None" in said
    assert 'function_to_apply="sigmoid"' in said
    assert 'Path("model/thresholds.json").read_text' in said
    assert "score >= thresholds[label]" in said
    assert "knows nothing of the thresholds" in said
    assert "score >= 0.5" in usage(make_summary(kind="classes"), "model")


def test_one_labels_own_figure_says_whose(make_summary):
    summary = make_summary(metrics={"test": {"f1:spam": 0.75, "loss": 0.5}}, monitor="f1:spam")
    (result,) = card_data(summary).eval_results
    assert (result.metric_type, result.metric_name, result.metric_args) == ("f1", "f1:spam", {"label": "spam"})


def test_a_head_of_ours_is_loaded_with_the_code_beside_it(make_summary):
    said = usage(make_summary(own_code="classifier.py"), "model")
    assert 'pipeline("text-classification", model="model", trust_remote_code=True)' in said
    assert "Its code is the file classifier.py beside the weights" in said
    assert "trust_remote_code" in usage(make_summary(kind="classes", own_code="classifier.py"), "model")
    assert "trust_remote_code" not in usage(make_summary(), "model")
