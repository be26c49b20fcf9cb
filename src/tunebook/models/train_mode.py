"""Restores the training or evaluation mode of every module of a model after a block."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch import nn


@contextlib.contextmanager
def preserved_modes(model: nn.Module) -> Iterator[None]:
    """After the block each module is in the mode that it had before.

    `model.train(mode)` would not do: frozen modules are in evaluation mode while their neighbours train.
    """
    modes = {module: module.training for module in model.modules()}
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@contextlib.contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """In the block the model is in evaluation mode; afterwards each module has its former mode."""
    with preserved_modes(model):
        model.eval()
        yield
