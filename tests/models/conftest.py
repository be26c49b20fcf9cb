"""Tiny models, saved once a session, and batches that fit them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.tiny import HEADS, IMAGE, IMAGE_SIZE, LABELS, auto_class, model_config, tiny_model
from tunebook.models.load import load_model


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a family's tiny model."""
    root = tmp_path_factory.mktemp("models")

    def folder(family: str) -> Path:
        path = root / family
        return path if path.exists() else tiny_model(family, path)

    return folder


@pytest.fixture
def build(saved):
    """Loads a family's tiny classifier, every parameter moved off its initial value."""

    def load(family: str, seed: int = 1):
        settings = model_config(name_or_path=saved(family), head=HEADS[family])
        model = load_model(settings, auto_class(family), LABELS, seed=seed).model
        torch.manual_seed(seed)
        with torch.no_grad():
            for parameter in model.parameters():
                # Weight decay does not move what is zero, and new biases are.
                parameter.add_(torch.randn_like(parameter) * 0.05)
        return model

    return load


@pytest.fixture
def batch():
    """Inputs and labels for a family."""

    def make(family: str) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(0)
        labels = torch.tensor([0, 1, 2, 0, 1, 2])
        if family in IMAGE:
            pixels = torch.randn(6, 3, IMAGE_SIZE, IMAGE_SIZE, generator=generator)
            return {"pixel_values": pixels, "labels": labels}
        ids = torch.randint(5, 60, (6, 9), generator=generator)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}

    return make


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    """What Tunebook has logged, in one text."""
    # The run's own logging may have cut this logger off from the root, where pytest listens.
    logger = logging.getLogger("tunebook")
    before, logger.propagate = logger.propagate, True
    caplog.set_level(logging.DEBUG, "tunebook")
    yield lambda: "\n".join(record.getMessage() for record in caplog.records)
    logger.propagate = before
