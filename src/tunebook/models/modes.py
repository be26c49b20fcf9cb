"""Training and evaluation mode of every module of a model, kept over a block."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch import nn


@contextlib.contextmanager
def modes_kept(model: nn.Module) -> Iterator[None]:
    """Whatever the block does, each module is afterwards in the mode it was in.

    `model.train(mode)` would not do: frozen modules are in evaluation mode while their neighbours train.
    """
    modes = {module: module.training for module in model.modules()}
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@contextlib.contextmanager
def in_eval(model: nn.Module) -> Iterator[None]:
    """The block finds the model in evaluation mode; afterwards each module is in the mode it was in."""
    with modes_kept(model):
        model.eval()
        yield
