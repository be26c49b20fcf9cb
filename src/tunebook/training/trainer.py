"""Our Trainer: transformers' own, with the loss, the batches, the rates and frozen modules done right.

What it changes is each a few lines here and explained in docs/decisions.md; everything else is transformers'.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from accelerate.data_loader import prepare_data_loader
from torch import nn
from torch.utils.data import DataLoader
from transformers import PreTrainedModel
from transformers.trainer_utils import seed_worker

from tunebook.modeling.freezing import frozen_modules, hold_frozen_in_eval
from tunebook.training import mixing
from tunebook.training.batches import EffectiveBatches
from tunebook.training.callbacks import StepFacts
from tunebook.training.checkpointed import CheckpointedTrainer
from tunebook.training.losses.base import Loss
from tunebook.training.rows import TrainRows
from tunebook.training.stream import StreamBatches


@dataclass(frozen=True)
class Targets:
    """What the loss is computed against: the labels, and how much each row counts (None: 1)."""

    labels: torch.Tensor
    weights: torch.Tensor | None


@dataclass(frozen=True)
class Forward:
    """A forward pass that is about to be made.

    Args:
        model: without wrappers.
        inputs: of the model, and `labels`; may be changed.
        rows: numbers of the rows in their encoded split, shape (rows,).
        training: whether it is for training.
    """

    model: nn.Module
    inputs: dict[str, Any]
    rows: torch.Tensor
    training: bool


Around = Callable[[Forward], AbstractContextManager[None]]
"""Makes a context in which a forward pass, training's or evaluation's, is run."""


def mean_over_batch(loss: Loss) -> Callable[..., torch.Tensor]:
    """A `compute_loss_func` for the Trainer: the loss summed here, divided by what the whole step counts.

    Most heads of transformers 5 ignore `num_items_in_batch`, and then gradients grow with the number of
    micro-batches and ranks (transformers #47688). A sum over a count is exact for every split of the batch.

    Args:
        loss: gives each row's.
    """

    def compute(outputs: Any, targets: Targets, num_items_in_batch: torch.Tensor | None = None) -> torch.Tensor:
        losses = loss(outputs["logits"], targets.labels)
        total = losses.sum() if targets.weights is None else (losses * targets.weights).sum()
        return total / (len(losses) if num_items_in_batch is None else num_items_in_batch)

    return compute


class RecipeTrainer(CheckpointedTrainer):
    """The Trainer of every recipe.

    Args:
        batches: the micro-batches of this process.
        around: contexts for every forward pass, the first outermost.
        kwargs: of `transformers.Trainer`.

    Attributes:
        frozen: modules that are wholly frozen now; they stay in eval mode.
    """

    def __init__(
        self, *, batches: EffectiveBatches | StreamBatches, around: Sequence[Around] = (), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.batches, self.around = batches, around
        self.frozen = frozen_modules(self.plain_model)
        # The loss comes from compute_loss_func; the model must not be told the count as well.
        self.model_accepts_loss_kwargs = False
        self.step = StepFacts()

    @property
    def plain_model(self) -> PreTrainedModel:
        """The model without the wrappers of DDP and the like."""
        return cast(PreTrainedModel, self.accelerator.unwrap_model(self.model))

    # ---- batches ----

    def get_train_dataloader(self) -> DataLoader:
        """The epoch's micro-batches of this process; they are shared out already, so nothing re-shards them."""
        args = self.args
        workers: dict[str, Any] = {}
        if args.dataloader_num_workers:
            workers = {
                "persistent_workers": args.dataloader_persistent_workers,
                "prefetch_factor": args.dataloader_prefetch_factor,
                "in_order": args.dataloader_in_order,
                "multiprocessing_context": args.dataloader_multiprocessing_context,
            }
        loader = DataLoader(
            cast(TrainRows, self.train_dataset),
            batch_sampler=self.batches,
            collate_fn=mixing.Paired(self.data_collator),
            num_workers=args.dataloader_num_workers,
            pin_memory=args.dataloader_pin_memory and torch.cuda.is_available(),
            worker_init_fn=partial(seed_worker, num_workers=args.dataloader_num_workers, rank=args.process_index),
            **workers,
        )
        return prepare_data_loader(
            loader, device=args.device, num_processes=1, process_index=0, put_on_device=True, even_batches=False
        )

    # ---- loss ----

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """transformers' loss, with frozen modules in eval mode (`training_step` has just called `train()`)."""
        rows = inputs.pop("row")
        weights = inputs.pop("weight", None)
        partner = mixing.taken_from(inputs)
        if self.compute_loss_func is not None:
            # transformers hands labels on to the loss function as they are.
            inputs["labels"] = Targets(inputs["labels"], weights)
        if model.training:
            hold_frozen_in_eval(self.frozen)
        forward = Forward(self.plain_model, inputs, rows, model.training)
        with contextlib.ExitStack() as stack:
            for around in self.around:
                stack.enter_context(around(forward))
            stack.enter_context(mixing.mixed_embeddings(cast(nn.Module, self.model), partner))
            loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        # Hidden states, an encoder's output (BART, T5) and the like are no answers and would fill the memory.
        return (loss, {"logits": outputs["logits"]}) if return_outputs else loss

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Any]], device: torch.device) -> torch.Tensor | None:
        """Rows that count in this optimizer step, over its micro-batches and all ranks; None while evaluating."""
        if not batch_samples or "weight" not in batch_samples[0]:
            return None
        counted = torch.stack([batch["weight"].gt(0).sum() for batch in batch_samples]).sum()
        return self.accelerator.gather(counted.to(device)).sum()

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """transformers' step; keeps each micro-batch's loss and row numbers for the check that it is finite."""
        rows = inputs["row"]
        loss = super().training_step(model, inputs, num_items_in_batch)
        self.step.losses.append((loss, rows))
        return loss

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        self.step.gradient = None if norm is None else float(norm)
        return norm
