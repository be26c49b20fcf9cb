"""All methods against forgetting and overfitting of a run, as the Trainer sees them. Knows no single method."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tunebook.answers.base import Kind
from tunebook.config import previous_run, registry
from tunebook.config.schema import Config
from tunebook.errors import ConfigurationError, Problem
from tunebook.training.losses.base import Loss
from tunebook.training.previous_task import load_previous
from tunebook.training.processes import Processes
from tunebook.training.regularization.base import Averages, Collate, Method, MethodContext, Rows, repeated

ONCE = ("labels", "weight")
"""What the loss takes once, however often the batch goes through the model."""


class Regularized:
    """The methods of a run, hook by hook (`tunebook.training.regularization.base.Method`).

    Args:
        methods: at work; none: everything stays as it is.
    """

    def __init__(self, methods: Sequence[Method] = ()) -> None:
        self.methods = tuple(methods)

    @property
    def averages(self) -> list[Averages]:
        """Of the weights; by the last one the model is evaluated."""
        return [method.averages for method in self.methods if method.averages is not None]

    # ---- batches ----

    def rows(self, own: Rows) -> Rows:
        """The training rows, with what methods add to them."""
        for method in self.methods:
            own = method.wrap_rows(own) if method.wrap_rows else own
        return own

    def collated(self, own: Collate) -> Collate:
        """The collator that joins them."""
        for method in self.methods:
            own = method.wrap_collator(own) if method.wrap_collator else own
        return own

    # ---- loss ----

    def beside(self, inputs: dict[str, Any]) -> torch.Tensor | None:
        """The sum of further losses of a micro-batch, whose inputs are taken out of it; None where there are none."""
        found = [method.extra_loss(inputs) for method in self.methods if method.extra_loss]
        losses = [loss for loss in found if loss is not None]
        return torch.stack(losses).sum() if losses else None

    def prepared(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The batch as it goes through the model while training."""
        return repeated(inputs, ONCE) if self._twice else inputs

    def losses(self, loss: Loss, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Of each row of a batch that `prepared` made, (rows,)."""
        return self._twice(loss, logits, labels) if self._twice else loss(logits, labels)

    @property
    def _twice(self) -> Any:
        return next((method.two_pass for method in self.methods if method.two_pass), None)

    # ---- gradients and weights ----

    def add_gradients(self, scale: float) -> None:
        """Once an optimizer step, when gradients are whole; `scale` as in `Method.add_gradients`."""
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
        """What a checkpoint keeps beside the weights; by one process."""
        for averages in self.averages:
            averages.save(folder)

    def load(self, folder: Path) -> None:
        """What `save` wrote; by every process."""
        for averages in self.averages:
            averages.load(folder)


class Averaging(TrainerCallback):
    """Keeps averages of the weights in step with training.

    Args:
        averages: of the run's methods.
    """

    def __init__(self, averages: Sequence[Averages]) -> None:
        self.averages = averages

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start from the weights as they are, or go on."""
        for averages in self.averages:
            averages.begin()

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """The step that has just been made; the Trainer counts it afterwards."""
        for averages in self.averages:
            averages.update(state.global_step)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """The model keeps the averaged weights: those of the best checkpoint, where it has been loaded."""
        for averages in self.averages:
            averages.finish()


def refuse_pieces(config: Config, pieces: bool) -> None:
    """A launcher may spread weights over the processes in pieces, which no method can work with.

    Raises:
        ConfigurationError: it does, and a method is wanted.
    """
    if pieces and (names := _wanted(config)):
        message = "looks at whole weights, and the launcher spreads them in pieces (FSDP or DeepSpeed); set it to null"
        raise ConfigurationError([Problem(f"regularization.{name}", message) for name in names])


def _wanted(config: Config) -> dict[str, Any]:
    """Method to its options."""
    group = config.regularization
    options = {name: getattr(group, name) for name in type(group).model_fields}
    return {name: value for name, value in options.items() if value is not None}


def regularized(
    config: Config, model: PreTrainedModel, processor: Any, kind: Kind, processes: Processes
) -> Regularized:
    """The methods that a recipe wants, made from the weights that training starts from.

    Args:
        config: of the run.
        model: on its device, before a checkpoint is read.
        processor: of the model.
        kind: of label.
        processes: that train together.

    Raises:
        ModelError: a method does not fit the model.
        DataError: the rows of a previous run are not there any more.
    """

    def previous(folder: str) -> Any:
        key = "regularization.replay.run"
        return load_previous(previous_run.read(folder, key), model, processor, processes, ["train"], key)

    context = MethodContext(model, kind, config.hyperparameters.seed, previous)
    modules = {name: registry.load("regularization", name) for name in _wanted(config)}
    return Regularized([modules[name].start(options, context) for name, options in _wanted(config).items()])
