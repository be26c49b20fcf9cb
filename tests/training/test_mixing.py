"""Texts mixed in the embeddings: the right sum in every family of models, in every layout, and in training only."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from tests import tiny
from tests.training.test_gradients import gradients, image_overrides, relative_difference, text_overrides
from tunebook.data.augmentation.base import Mix
from tunebook.errors import DataError, ModelError
from tunebook.models.processor import set_padding
from tunebook.tasks._single_label import SingleLabelOutput
from tunebook.training import mixing

SHORT, LONG = "a warm film", "the plot is thin and the jokes are bad"


class Tiny:
    """A tiny model with its tokenizer and a collator."""

    def __init__(self, family, folder):
        tiny.tiny_text_model(family, folder)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        config = AutoConfig.from_pretrained(folder, num_labels=3)
        torch.manual_seed(0)
        self.model = AutoModelForSequenceClassification.from_config(config).eval()
        set_padding(self.model, self.tokenizer)

    def row(self, text, label=0, row=0):
        return {**self.tokenizer(text), "labels": label, "row": row, "weight": 1.0}

    def collate(self, rows):
        names = set(self.tokenizer.model_input_names)
        batch = self.tokenizer.pad([{k: r[k] for k in r if k in names} for r in rows], return_tensors="pt")
        return {**batch, "labels": torch.tensor([row["labels"] for row in rows])}

    def logits(self, rows):
        batch = mixing.Paired(self.collate)(rows)
        del batch["labels"]
        partner = mixing.taken_from(batch)
        with mixing.mixed_embeddings(self.model, partner):
            return self.model(**batch)["logits"]


@pytest.fixture(params=tiny.TEXT)
def small(request, tmp_path):
    return Tiny(request.param, tmp_path)


def shares(row):
    """As `Task.mixed_label` makes them."""
    return {**row, "labels": SingleLabelOutput().mixed_label(row["labels"], ["a", "b", "c"])}


def mixed(row, other, share):
    return mixing.mixed(shares(row), shares(other), Mix(1, share), "embeddings")


def test_the_model_sees_the_sum_of_both_texts_embeddings(small):
    short, long = small.row(SHORT), small.row(LONG, 2)
    table = small.model.get_input_embeddings().weight
    seen = []
    with torch.no_grad():
        batch = mixing.Paired(small.collate)([mixed(short, long, 0.3)])
        partner = mixing.taken_from(batch)
        with mixing.mixed_embeddings(small.model, partner):
            small.model.get_input_embeddings().register_forward_hook(lambda _, ids, output: seen.append(output))
            small.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    wide = 0.7 * table[torch.tensor(long["input_ids"])]
    wide[: len(short["input_ids"])] += 0.3 * table[torch.tensor(short["input_ids"])]
    torch.testing.assert_close(seen[0][0], wide)
    assert batch["attention_mask"].sum() == len(long["input_ids"])


def test_it_does_not_matter_which_of_both_is_the_partner(small):
    short, long = small.row(SHORT), small.row(LONG, 2)
    torch.testing.assert_close(small.logits([mixed(short, long, 0.3)]), small.logits([mixed(long, short, 0.7)]))
    assert mixed(short, long, 0.3)["labels"] == pytest.approx([0.3, 0, 0.7])


def test_the_whole_share_is_the_row_itself_and_a_row_without_partner_too(small):
    short, long = small.row(SHORT), small.row(LONG, 2)
    plain = small.logits([long])
    torch.testing.assert_close(small.logits([mixed(long, short, 1.0)]), plain)
    torch.testing.assert_close(small.logits([mixing.mixed(shares(long), None, None, "embeddings")]), plain)
    assert mixing.mixed(shares(long), None, None, "embeddings")["labels"] == [0.0, 0.0, 1.0]
    assert not torch.allclose(small.logits([mixed(long, short, 0.5)]), plain, atol=1e-7)


def test_a_mixed_row_is_the_same_beside_longer_ones(small):
    row = mixed(small.row(SHORT), small.row(LONG), 0.4)
    longer = mixing.mixed(shares(small.row(f"{LONG} {LONG}")), None, None, "embeddings")
    torch.testing.assert_close(small.logits([row]), small.logits([row, longer])[:1], atol=1e-5, rtol=1e-4)


def test_gradients_reach_the_tokens_of_both_by_their_shares(small):
    one, other = small.row("funny"), small.row("warm")
    (1000 * small.logits([mixed(one, other, 0.3)])[0, 1]).backward()
    gradient = small.model.get_input_embeddings().weight.grad
    # Both stand in the same place, and in no other.
    own, theirs = gradient[one["input_ids"][1]], gradient[other["input_ids"][1]]
    assert own.norm() > 1e-2
    torch.testing.assert_close(own / 0.3, theirs / 0.7)


def test_after_the_forward_nothing_is_left_of_it(small):
    row = small.row(LONG)
    before = small.logits([row])
    small.logits([mixed(row, small.row(SHORT), 0.5)])
    torch.testing.assert_close(small.logits([row]), before, atol=0, rtol=0)
    assert not small.model.get_input_embeddings()._forward_hooks


def test_rows_keep_their_number_and_weight_when_the_partner_is_longer():
    short = {"input_ids": [1], "attention_mask": [1], "labels": 0, "row": 5}
    long = {"input_ids": [2, 3], "attention_mask": [1, 1], "labels": 1, "row": 6}
    row = mixed(short, long, 0.25)
    assert (row["row"], row["input_ids"], row["share"], row["labels"]) == (5, [2, 3], 0.75, [0.25, 0.75, 0.0])


def test_a_model_that_does_not_read_through_its_embedding_is_refused(tmp_path):
    small = Tiny("bert", tmp_path)
    embeddings = small.model.bert.embeddings.word_embeddings
    small.model.get_input_embeddings = lambda: torch.nn.Embedding(*embeddings.weight.shape)
    with pytest.raises(ModelError, match="set augmentation.mixup to null"):
        small.logits([mixed(small.row(SHORT), small.row(LONG), 0.5)])


def test_images_of_two_sizes_cannot_be_mixed():
    rows = [{"pixel_values": torch.zeros(3, size, 4), "labels": 0, "row": 0} for size in (4, 5)]
    with pytest.raises(DataError, match="model.processor"):
        mixing.mixed(*rows, Mix(1, 0.5), "pixels")


TEXT = ["augmentation=text_mixup", "augmentation.mix_probability=1.0", "augmentation.deletion=0.1"]
IMAGES = ["augmentation=image_strong", "augmentation.cutmix=1.0"]


@pytest.mark.parametrize(
    ("overrides", "family", "said", "layouts"),
    [
        (text_overrides, "bert", TEXT, ["2x4", "2 ranks x 4"]),
        (image_overrides, "vit", IMAGES, ["2x4"]),
    ],
    ids=["texts", "images"],
)
def test_every_layout_gives_the_gradient_of_the_whole_mixed_batch(tmp_path, overrides, family, said, layouts):
    plain = overrides(tmp_path, family, False)
    whole = gradients(tmp_path, [*plain, *said], "8x1")
    for layout in layouts:
        assert relative_difference(whole, gradients(tmp_path, [*plain, *said], layout)) < 1e-5
    assert relative_difference(whole, gradients(tmp_path / "plain", plain, "8x1")) > 1e-2
