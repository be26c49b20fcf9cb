"""The model card: the Hub's own reader takes it, and it says what the run measured."""

from __future__ import annotations

import warnings

import pytest
from huggingface_hub import ModelCard

from tunebook.reporting.model_card import card_data, write_card
from tunebook.reporting.summary import SavedAdapter
from tunebook.reporting.usage import CALLS, usage


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
    assert "3 rows are in both train and test" in text
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
    said = usage(make_summary(target_type="regression", label_names=[]), "model")
    assert 'function_to_apply="none")[0]["score"]' in said


def test_several_labels_are_answered_from_their_thresholds_on(make_summary):
    said = usage(make_summary(target_type="multi_label", thresholds={"joy": 0.3}), "model")
    assert "top_k=None" in said
    assert 'function_to_apply="sigmoid"' in said
    assert 'Path("model/thresholds.json").read_text' in said
    assert "score >= thresholds[label]" in said
    assert "knows nothing of the thresholds" in said
    assert "score >= 0.5" in usage(make_summary(target_type="multi_label"), "model")


def test_one_labels_own_figure_says_whose(make_summary):
    summary = make_summary(metrics={"test": {"f1:spam": 0.75, "loss": 0.5}}, monitor="f1:spam")
    (result,) = card_data(summary).eval_results
    assert (result.metric_type, result.metric_name, result.metric_args) == ("f1", "f1:spam", {"label": "spam"})


def test_a_head_of_ours_is_loaded_with_the_code_beside_it(make_summary):
    said = usage(make_summary(own_code="classifier.py"), "model")
    assert 'pipeline("text-classification", model="model", trust_remote_code=True)' in said
    assert "Its code is the file classifier.py next to the weights" in said
    assert "trust_remote_code" in usage(make_summary(target_type="multi_label", own_code="classifier.py"), "model")
    assert "trust_remote_code" not in usage(make_summary(), "model")


@pytest.mark.parametrize("pipeline", CALLS)
def test_every_pipeline_of_the_table_is_one_of_transformers(pipeline, make_summary):
    from transformers.pipelines import PIPELINE_REGISTRY

    assert pipeline in PIPELINE_REGISTRY.get_supported_tasks()
    code = usage(make_summary(pipeline=pipeline, target_type="other"), "model").split("```")[1].removeprefix("python")
    compile(code, "card", "exec")
    assert f'pipeline("{pipeline}", model="model")' in code


def test_a_chat_is_asked_by_messages(make_summary):
    code = usage(make_summary(pipeline="text-generation", target_type="token_ids"), "model")
    assert '[{"role": "user", "content": ' in code


@pytest.mark.parametrize("alone", [None, True, False], ids=["no adapter", "adapter alone", "merged"])
def test_without_a_pipeline_the_class_loads_the_model(make_summary, tmp_path, alone):
    name = "AutoModelForSeq2SeqLM"
    adapter = SavedAdapter(base="owner/t5", revision=None, auto_class=name, alone=bool(alone), at_input=False)
    summary = make_summary(
        task="text_to_text", pipeline=None, auto_class=name, target_type="token_ids", label_names=[],
        adapter=None if alone is None else adapter,
    )  # fmt: skip
    text = usage(summary, "model")
    for code in text.split("```")[1::2]:
        compile(code.removeprefix("python"), "card", "exec")
    loads = 'PeftModel.from_pretrained(base, "model")' if alone else f'{name}.from_pretrained("model")'
    assert loads in text
    assert "model.generate(**inputs" in text
    write_card(tmp_path / "README.md", summary)
    card = ModelCard.load(tmp_path / "README.md")
    assert "pipeline_tag" not in card.data.to_dict()
    assert "A text-to-text model" in card.text
