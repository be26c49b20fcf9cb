"""All methods against forgetting and overfitting of a run, as the Trainer sees them. Knows no single method."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState

from tunebook.config import previous_run, registry
from tunebook.config.schema import Config
from tunebook.errors import ConfigurationError, Problem
from tunebook.tasks.base import BESIDE_INPUTS
from tunebook.training.losses.base import Loss
from tunebook.training.previous_task import PreviousTask, load_previous
from tunebook.training.regularization.base import Averages, Collate, Method, MethodContext, Rows, repeated

if TYPE_CHECKING:
    from tunebook.context import RunContext


class Regularized:
    """The methods of a run, hook by hook (`tunebook.training.regularization.base.Method`)."""

    def __init__(self, methods: Sequence[Method] = ()) -> None:
        self.methods = tuple(methods)
        self._two_pass = next((method.two_pass for method in self.methods if method.two_pass), None)

    @property
    def averages(self) -> list[Averages]:
        """Of the weights; by the last one the model is evaluated."""
        return [method.averages for method in self.methods if method.averages is not None]

    # ---- batches ----

    def wrap_rows(self, rows: Rows) -> Rows:
        """The training rows, with what methods add to them."""
        for method in self.methods:
            rows = method.wrap_rows(rows) if method.wrap_rows else rows
        return rows

    def wrap_collator(self, collate: Collate) -> Collate:
        """The collator that joins them."""
        for method in self.methods:
            collate = method.wrap_collator(collate) if method.wrap_collator else collate
        return collate

    # ---- loss ----

    def extra_loss(self, batch: dict[str, Any]) -> torch.Tensor | None:
        """The sum of the losses of other rows in a micro-batch, which are taken out of it; None: there are none."""
        losses = [method.extra_loss(batch) for method in self.methods if method.extra_loss]
        there = [loss for loss in losses if loss is not None]
        return torch.stack(there).sum() if there else None

    def prepared(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The batch as it goes through the model while training."""
        return repeated(batch, tuple(BESIDE_INPUTS)) if self._two_pass else batch

    def loss(self, loss: Loss) -> Loss:
        """The loss of a batch that `prepared` made."""
        two_pass = self._two_pass
        if two_pass is None:
            return loss
        return lambda logits, labels: two_pass(loss, logits, labels)

    # ---- gradients and weights ----

    def add_gradients(self, scale: float) -> None:
        """Once an optimizer step, when gradients are whole; `scale` as in `Method.gradients`."""
        for method in self.methods:
            if method.add_gradients:
                method.add_gradients(scale)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Within, the model has the weights that it is evaluated by."""
        with contextlib.ExitStack() as stack:
            for averages in self.averages:
                stack.enter_context(averages.swapped_in())
            yield

    def save(self, folder: Path) -> None:
        """What a checkpoint holds besides the weights; by one process."""
        for averages in self.averages:
            averages.save(folder)

    def load(self, folder: Path) -> None:
        """What `save` wrote; by every process."""
        for averages in self.averages:
            averages.load(folder)


class Averaging(TrainerCallback):
    """Keeps averages of the weights in step with training."""

    def __init__(self, averages: Sequence[Averages]) -> None:
        self.averages = averages

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Start from the current weights, or continue."""
        for averages in self.averages:
            averages.begin()

    def on_optimizer_step(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """The step that has just been made; the Trainer counts it afterwards."""
        for averages in self.averages:
            averages.update(state.global_step)

    def on_train_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """The model keeps the averaged weights: those of the best checkpoint, where it has been loaded."""
        for averages in self.averages:
            averages.finish()


def refuse_pieces(config: Config, pieces: bool) -> None:
    """A launcher may spread weights over the processes in pieces, which no method can work with.

    Raises:
        ConfigurationError: it does, and a method is wanted.
    """
    if pieces and (names := _wanted(config)):
        message = "needs whole weights, and the launcher spreads them in pieces (FSDP or DeepSpeed); set it to null"
        raise ConfigurationError([Problem(f"regularization.{name}", message) for name in names])


def _wanted(config: Config) -> dict[str, Any]:
    """Method to its options."""
    group = config.regularization
    options = {name: getattr(group, name) for name in type(group).model_fields}
    return {name: value for name, value in options.items() if value is not None}


def regularized(context: RunContext) -> Regularized:
    """The methods that a recipe asks for, made from the weights that training starts from.

    Raises:
        ModelError: a method does not fit the model.
        DataError: the rows of a previous run are not there any more.
    """

    def previous(folder: str) -> PreviousTask:
        key = "regularization.replay.run"
        return load_previous(context, previous_run.read(folder, key), ["train"], key)

    made_from = MethodContext(context.model, context.task, context.config.hyperparameters.seed, previous)
    wanted = _wanted(context.config)
    modules = {name: registry.load("regularization", name) for name in wanted}
    return Regularized([modules[name].start(options, made_from) for name, options in wanted.items()])
