import datasets
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests import tiny
from tunebook.data.encoding import encode_split
from tunebook.data.labels.base import Targets
from tunebook.errors import ConfigurationError
from tunebook.tasks.text_classification import Options, Task


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.tiny_text_model("bert", tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def parts(folder):
    return AutoTokenizer.from_pretrained(folder), AutoModelForSequenceClassification.from_pretrained(folder)


ROWS = {"text": ["a good film", "bad", "the food was fine and quick"], "label": [1, 0, 1], "row": [4, 5, 9]}


def test_texts_become_tokens_with_their_length_label_and_row(parts):
    tokenizer, model = parts
    encoded = encode_split(
        datasets.Dataset.from_dict(ROWS), Task(Options(max_length=48)), tokenizer, model.config, Targets()
    )
    assert encoded["labels"] == [1, 0, 1]
    assert encoded["row"] == [4, 5, 9]
    assert encoded["position"] == [0, 1, 2]
    assert list(encoded["length"]) == [len(ids) for ids in encoded["input_ids"]]
    assert encoded[0]["input_ids"] == tokenizer("a good film")["input_ids"]
    assert "text" not in encoded.column_names


def test_a_pair_is_one_sequence(parts):
    tokenizer, model = parts
    rows = {**ROWS, "text_pair": ["yes", "no good", "a film"]}
    encoded = encode_split(
        datasets.Dataset.from_dict(rows), Task(Options(max_length=48)), tokenizer, model.config, Targets()
    )
    assert encoded[1]["input_ids"] == tokenizer("bad", "no good")["input_ids"]


def test_of_a_pair_that_is_too_long_the_longer_text_is_cut_first(parts):
    tokenizer, model = parts
    rows = {"text": ["good " * 40], "text_pair": ["bad film"], "label": [0], "row": [0]}
    encoded = encode_split(
        datasets.Dataset.from_dict(rows), Task(Options(max_length=14)), tokenizer, model.config, Targets()
    )
    assert len(encoded[0]["input_ids"]) == 14
    assert "bad film" in tokenizer.decode(encoded[0]["input_ids"]).replace(" ##", "")


@pytest.mark.parametrize(("padding", "width"), [("longest", 8), ("max_length", 20)])
def test_a_batch_is_padded_as_the_options_say(parts, padding, width):
    tokenizer, model = parts
    task = Task(Options(max_length=20, padding=padding))
    encoded = encode_split(datasets.Dataset.from_dict(ROWS), task, tokenizer, model.config, Targets())
    batch = task.collate([encoded[at] for at in range(3)], tokenizer)
    longest = max(encoded["length"])
    assert batch["input_ids"].shape == (3, longest if padding == "longest" else width)
    assert batch["attention_mask"].sum(1).tolist() == list(encoded["length"])
    assert torch.equal(batch["labels"], torch.tensor([1, 0, 1]))
    assert torch.equal(batch["row"], torch.tensor([4, 5, 9]))
    assert "length" not in batch


def test_more_tokens_than_positions_are_refused(folder):
    with pytest.raises(ConfigurationError, match=f"task.max_length.*at most {tiny.MAX_LENGTH}"):
        Task(Options(max_length=500)).load_processor(tiny.model_config(name_or_path=folder))


def test_the_tokenizer_later_cuts_where_training_did(folder, tmp_path):
    Task(Options(max_length=12)).load_processor(tiny.model_config(name_or_path=folder)).save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert len(again("good " * 40, truncation=True)["input_ids"]) == 12
