"""An exponential average of the weights, by which a model is evaluated and saved (EMA). Knows parameters and files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from tunebook.errors import RunDirectoryError
from tunebook.training.regularization.base import Method, MethodContext, RegularizationOptions

if TYPE_CHECKING:
    import torch
    from torch import nn

FILE = "averaged.safetensors"


class Options(RegularizationOptions):
    """The average after each optimizer step: decay · average + (1 − decay) · weights.

    Training continues with its own weights; evaluations, the best model and the finished one have the averaged ones.

    Args:
        decay: in (0, 1); about the last 1 / (1 − decay) steps count.
        warm_up: after n steps the decay is at most (1 + n) / (10 + n), so that the first steps soon count little.
    """

    decay: float = Field(default=0.999, gt=0, lt=1)
    warm_up: bool = True


def start(options: Options, context: MethodContext) -> Method:
    """Averages every parameter that ever trains; the others are equal, and buffers are the model's own."""
    return Method(averages=Average(context.model, options.decay, options.warm_up))


class Average:
    """The averaged weights of a model; see `tunebook.training.regularization.base.Averages`."""

    def __init__(self, model: nn.Module, decay: float, warm_up: bool) -> None:
        self.parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.decay, self.warm_up = decay, warm_up
        self.averaged: dict[str, torch.Tensor] | None = None

    def begin(self) -> None:
        """The average starts from the current weights; a resumed run has loaded it already."""
        if self.averaged is None:
            self.averaged = {name: parameter.detach().clone().float() for name, parameter in self.parameters.items()}

    def update(self, step: int) -> None:
        """The weights after optimizer step number `step`, counted from 0."""
        import torch
        from torch.optim.swa_utils import get_ema_multi_avg_fn

        decay = min(self.decay, (2 + step) / (11 + step)) if self.warm_up else self.decay
        with torch.no_grad():
            # In float32: of half precision a thousandth of a step would be rounded away.
            new = [parameter.detach().float() for parameter in self.parameters.values()]
            get_ema_multi_avg_fn(decay)(list(self._average().values()), new, step)

    @contextlib.contextmanager
    def swapped_in(self) -> Iterator[None]:
        """A context in which the model has the averaged weights; before and after training it has its own."""
        if self.averaged is None:
            yield
            return
        own = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}
        self._copy_into_model(self.averaged)
        try:
            yield
        finally:
            self._copy_into_model(own)

    def finish(self) -> None:
        """The averaged weights become the model's, and nothing more is averaged."""
        self._copy_into_model(self._average())
        self.averaged = None

    def save(self, folder: Path) -> None:
        """Write `FILE`; nothing outside of training, where the model itself has the averaged weights."""
        from safetensors.torch import save_file

        if self.averaged is not None:
            save_file({name: value.contiguous() for name, value in self.averaged.items()}, folder / FILE)

    def load(self, folder: Path) -> None:
        """Read `FILE`.

        Raises:
            RunDirectoryError: it is missing, or belongs to other weights.
        """
        from safetensors.torch import load_file

        saved = load_file(folder / FILE) if (folder / FILE).is_file() else {}
        if saved.keys() != self.parameters.keys():
            message = f"{folder} lacks averaged weights ({FILE}) of this model; delete it, and the one before is used"
            raise RunDirectoryError(message)
        self.averaged = {name: saved[name].to(parameter.device) for name, parameter in self.parameters.items()}

    def _average(self) -> dict[str, torch.Tensor]:
        if self.averaged is None:
            raise RuntimeError("there is no average outside of training")
        return self.averaged

    def _copy_into_model(self, values: dict[str, torch.Tensor]) -> None:
        import torch

        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(values[name])
