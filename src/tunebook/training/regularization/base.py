"""What a regularization method is: hooks that the Trainer calls, each optional. Knows no method.

A method is a file `tunebook/training/regularization/NAME.py` (or an entry point `regularization.NAME`) with `Options`
and `start(options, context) -> Method`. Its name is then a key of the group `regularization`. The file imports no
torch at the top, so that checking a recipe stays quick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tunebook.config.options import Options
from tunebook.data.row_key import RowKey
from tunebook.errors import Problem

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedModel

    from tunebook.config.schema import Config
    from tunebook.tasks.base import Task
    from tunebook.training.losses.base import Loss
    from tunebook.training.previous_task import PreviousTask

Collate = Callable[[list[dict[str, Any]]], dict[str, Any]]


class Rows(Protocol):
    """Training rows by `RowKey`, as `tunebook.training.rows.TrainRows`."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: RowKey) -> dict[str, Any]: ...

    def __getitems__(self, keys: list[RowKey]) -> list[dict[str, Any]]: ...


class RegularizationOptions(Options):
    """The base of a method's own settings."""


@dataclass(frozen=True)
class MethodContext:
    """What a method is made from; the model has the weights that training starts from, after a resume too.

    Args:
        model: on its device, with its head and adapter, before a checkpoint is loaded.
        task: what is learned.
        seed: of the run.
        load_previous: loads the training rows and the head of the finished run in a folder.
    """

    model: PreTrainedModel
    task: Task
    seed: int
    load_previous: Callable[[str], PreviousTask]


@dataclass(frozen=True)
class Method:
    """The hooks of one method; None: not used. Several methods are combined hook by hook.

    Args:
        two_pass: the batch goes through the model two times, in one forward, and this gives the losses, (rows,), from
            the loss, the logits (2 × rows, k), the first pass before the second, and the labels.
        wrap_rows: wraps the training rows, to add something to each.
        wrap_collator: wraps the collator, to collate what `wrap_rows` has added.
        extra_loss: takes what `wrap_collator` has added out of a micro-batch and gives the sum of its losses; None:
            nothing was added. It is divided by the count of the whole step, as the rows' own loss is.
        add_gradients: adds to the gradients of an optimizer step, once, when they are complete and equal on every
            rank; takes the factor that they are scaled with (1, but for fp16).
        averages: of the weights, with which the model is evaluated and saved.
    """

    two_pass: Callable[[Loss, torch.Tensor, torch.Tensor], torch.Tensor] | None = None
    wrap_rows: Callable[[Rows], Rows] | None = None
    wrap_collator: Callable[[Collate], Collate] | None = None
    extra_loss: Callable[[dict[str, Any]], torch.Tensor | None] | None = None
    add_gradients: Callable[[float], None] | None = None
    averages: Averages | None = None


class Averages(Protocol):
    """Averaged weights of a model that trains."""

    def begin(self) -> None:
        """Training starts or is resumed."""

    def update(self, step: int) -> None:
        """The weights after optimizer step number `step`, counted from 0."""

    def swapped_in(self) -> AbstractContextManager[None]:
        """A context in which the model has the averaged weights."""

    def finish(self) -> None:
        """Training is over: the averaged weights become the model's."""

    def save(self, folder: Path) -> None:
        """Write them into a checkpoint."""

    def load(self, folder: Path) -> None:
        """Read what `save` wrote."""


def backbone_parameters(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters of a model's backbone, with their names in the model; also those that a head shares."""
    backbone: Any = getattr(model, "base_model", model)
    inside = {id(parameter) for parameter in backbone.parameters()}
    return ((name, parameter) for name, parameter in model.named_parameters() if id(parameter) in inside)


def repeated(inputs: Mapping[str, Any], but: tuple[str, ...]) -> dict[str, Any]:
    """A batch with every tensor two times along its first dimension, but for those that are named."""
    import torch

    return {
        name: torch.cat([value, value]) if isinstance(value, torch.Tensor) and name not in but else value
        for name, value in inputs.items()
    }


def problems(config: Config) -> list[Problem]:
    """Settings that no method can be combined with: weights that are in pieces over the processes."""
    group, runtime = config.regularization, config.runtime
    if group is None or runtime is None:
        return []
    keys = [f"regularization.{name}" for name in type(group).model_fields if getattr(group, name) is not None]
    message = f"cannot be combined with {', '.join(keys)}, which look at whole weights"
    return [Problem(f"runtime.{key}", message) for key in ("fsdp", "deepspeed") if keys and getattr(runtime, key)]


def start_problems(config: Config, name: str, moves_head: bool = False) -> list[Problem]:
    """Of a method that holds the backbone's weights to those that training starts from.

    `moves_head`: whether it also has something to do while the backbone is frozen.
    """
    key, problems = f"regularization.{name}", []
    adapter = config.adapter.method if config.adapter else None
    if adapter not in {None, "none"}:
        message = (
            f"holds the backbone's own weights to where training starts, and with adapter={adapter} they never leave "
            f"it; set {key}=null"
        )
        problems.append(Problem(key, message))
    if config.model and config.model.config is not None:
        message = "holds to the weights that training starts from, which are initialized at random here; set it to null"
        problems.append(Problem(key, message))
    if backbone_is_frozen(config) and not moves_head:
        message = "holds the backbone to where training starts, and freezing=head_only keeps it there; set it to null"
        problems.append(Problem(key, message))
    return problems


def backbone_is_frozen(config: Config) -> bool:
    """Whether nothing of the backbone trains, neither by the freezing policy nor by an adapter."""
    freezing, adapter = config.freezing, config.adapter
    if freezing is None or adapter is None or adapter.method != "none":
        return False
    return freezing.policy == "head_only" and "train" not in (freezing.norms, freezing.biases, freezing.embeddings)
