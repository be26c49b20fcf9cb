"""Features: what they are, computed by hand; that they depend on the row alone; that they leave no trace."""

from __future__ import annotations

import datasets
import numpy as np
import pytest
import torch

from tests.tiny import ALL_FAMILIES, IMAGE, IMAGE_SIZE
from tunebook.models.features import features

LENGTHS = [4, 9, 2, 7, 5, 9, 3]


def texts() -> datasets.Dataset:
    """Rows of tokens of several lengths, not in the order of their lengths."""
    generator = np.random.default_rng(0)
    ids = [generator.integers(5, 60, length).tolist() for length in LENGTHS]
    return datasets.Dataset.from_dict(
        {"input_ids": ids, "length": LENGTHS, "labels": [0, 1, 2, 0, 1, 2, 0], "row": list(range(7))}
    )


def padded(rows: list[dict]) -> dict[str, torch.Tensor]:
    """A batch of texts, padded with the token 0 that the mask leaves out."""
    longest = max(len(row["input_ids"]) for row in rows)
    ids = [row["input_ids"] + [0] * (longest - len(row["input_ids"])) for row in rows]
    mask = [[1] * len(row["input_ids"]) + [0] * (longest - len(row["input_ids"])) for row in rows]
    return {
        "input_ids": torch.tensor(ids),
        "attention_mask": torch.tensor(mask),
        "labels": torch.tensor([row["labels"] for row in rows]),
        "row": torch.tensor([row["row"] for row in rows]),
        "weight": torch.ones(len(rows)),
    }


def images() -> datasets.Dataset:
    """Seven random images, made when they are asked for, as image tasks encode theirs."""

    def values(rows: dict) -> dict:
        draw = [torch.randn(3, IMAGE_SIZE, IMAGE_SIZE, generator=torch.Generator().manual_seed(r)) for r in rows["row"]]
        return {"pixel_values": draw, "row": rows["row"]}

    return datasets.Dataset.from_dict({"row": list(range(7))}).with_transform(values)


def stacked(rows: list[dict]) -> dict[str, torch.Tensor]:
    """A batch of images."""
    return {
        "pixel_values": torch.stack([row["pixel_values"] for row in rows]),
        "row": torch.tensor([row["row"] for row in rows]),
    }


def material(family: str):
    """Rows of a family with what collates them."""
    return (images(), stacked) if family in IMAGE else (texts(), padded)


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_each_row_has_its_own_vector_whatever_stands_beside_it(family, build):
    model, (rows, collate) = build(family), material(family)
    alone = features(model, rows, collate, batch_size=1)
    together = features(model, rows, collate, batch_size=4)
    assert alone.shape[0] == 7
    assert alone.dtype == np.float32
    np.testing.assert_allclose(together, alone, atol=1e-5)
    reversed_rows = features(model, rows.select(range(6, -1, -1)), collate, batch_size=3)
    np.testing.assert_allclose(reversed_rows[::-1], alone, atol=1e-5)
    if family == "mobilenet_v2":
        return  # untrained and this narrow it says the same of every image
    assert np.abs(alone[:, None] - alone[None]).max(-1)[~np.eye(7, dtype=bool)].min() > 1e-4


def test_a_text_is_the_mean_of_its_tokens_without_the_padding(build):
    model = build("bert").eval()
    found = features(model, texts(), padded, batch_size=7)
    for place, row in enumerate(texts()):
        with torch.no_grad():
            hidden = model.bert(input_ids=torch.tensor([row["input_ids"]])).last_hidden_state[0]
        np.testing.assert_allclose(found[place], hidden.mean(0).numpy(), atol=1e-5)


def test_an_image_is_what_the_model_pools(build):
    model = build("resnet").eval()
    pixels = stacked([images()[place] for place in range(7)])["pixel_values"]
    with torch.no_grad():
        expected = model.resnet(pixels).last_hidden_state.mean((2, 3))
    np.testing.assert_allclose(features(model, images(), stacked), expected.numpy(), atol=1e-5)


def test_an_image_of_a_model_without_a_pooler_is_the_mean_of_its_places(build):
    model = build("vit").eval()
    pixels = stacked([images()[place] for place in range(7)])["pixel_values"]
    with torch.no_grad():
        expected = model.vit(pixels).last_hidden_state.mean(1)
    np.testing.assert_allclose(features(model, images(), stacked), expected.numpy(), atol=1e-5)


def test_the_model_and_the_random_state_are_left_as_they_were(build):
    model = build("resnet").train()
    model.resnet.encoder.eval()  # as a frozen part is held
    modes = [module.training for module in model.modules()]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(5)
    state = torch.get_rng_state()
    features(model, images(), stacked)
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
