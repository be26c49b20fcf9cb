"""Our Trainer: transformers' own, with the loss, the batches, the rates and frozen modules done right.

What it changes is each a few lines here and explained in docs/decisions.md; everything else is transformers'.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from accelerate.data_loader import prepare_data_loader
from torch import nn
from torch.utils.data import DataLoader, Dataset
from transformers import PreTrainedModel
from transformers.trainer_utils import seed_worker

from tunebook.models.adaptation.parameter_names import is_factor
from tunebook.models.freezing import frozen_modules, hold_frozen_in_eval
from tunebook.models.parameter_kinds import norm_parameters
from tunebook.training import mixing
from tunebook.training.batches import EffectiveBatches
from tunebook.training.callbacks import StepFacts
from tunebook.training.checkpointed import CheckpointedTrainer
from tunebook.training.losses.base import Loss
from tunebook.training.rates import Rates, base_rate_now, parameter_groups, refuse_own_groups
from tunebook.training.regularized import Regularized
from tunebook.training.rows import TrainRows
from tunebook.training.schedules import LRSchedule, ScheduledLR


@dataclass(frozen=True)
class Targets:
    """What the loss is computed against.

    Args:
        labels: of the rows.
        weights: how much each row counts, (rows,); None: 1.
        judged: while training: how the run's methods have rows judged by the loss.
        further: while training: the sum of losses of other rows than these.
    """

    labels: torch.Tensor
    weights: torch.Tensor | None
    judged: Callable[[Loss, torch.Tensor, torch.Tensor], torch.Tensor] | None = None
    further: torch.Tensor | None = None


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
        logits, labels = outputs["logits"], targets.labels
        losses = targets.judged(loss, logits, labels) if targets.judged else loss(logits, labels)
        total = losses.sum() if targets.weights is None else (losses * targets.weights).sum()
        total = total if targets.further is None else total + targets.further
        return total / (len(losses) if num_items_in_batch is None else num_items_in_batch)

    return compute


class RecipeTrainer(CheckpointedTrainer):
    """The Trainer of every recipe.

    Args:
        batches: the micro-batches of this process.
        around: contexts for every forward pass, the first outermost.
        rates: of the parameters; None: `learning_rate` for all.
        lr_schedule: of the learning rate; None: as transformers' Trainer does.
        kwargs: of `transformers.Trainer`.

    Attributes:
        frozen: modules that are wholly frozen now; they stay in eval mode.
        regularized: the methods against forgetting and overfitting; none, until they are set.
        instead: what is read in place of rows to be evaluated; they themselves, until it is set.
        freezing_lines: what trains when, to print.
    """

    def __init__(
        self,
        *,
        batches: EffectiveBatches,
        around: Sequence[Around] = (),
        rates: Rates | None = None,
        lr_schedule: LRSchedule | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.batches, self.around, self.rates, self.lr_schedule = batches, around, rates, lr_schedule
        self._unwrapped: tuple[Any, PreTrainedModel] | None = None
        self.frozen = frozen_modules(self.plain_model)
        self.regularized = Regularized()
        self.instead: Callable[[Any], Any] = lambda rows: rows
        self.freezing_lines: list[str] = []
        # The loss comes from compute_loss_func; the model must not be told the count as well.
        self.model_accepts_loss_kwargs = False
        self.step = StepFacts()

    @property
    def plain_model(self) -> PreTrainedModel:
        """The model without the wrappers of DDP and the like."""
        if self._unwrapped is None or self._unwrapped[0] is not self.model:
            # Looks through every module, which is too much for each forward of a small model.
            self._unwrapped = self.model, cast(PreTrainedModel, self.accelerator.unwrap_model(self.model))
        return self._unwrapped[1]

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
            cast(Dataset, self.regularized.rows(cast(TrainRows, self.train_dataset))),
            batch_sampler=self.batches,
            collate_fn=self.regularized.collated(mixing.Paired(self.data_collator)),
            num_workers=args.dataloader_num_workers,
            pin_memory=args.dataloader_pin_memory and torch.cuda.is_available(),
            worker_init_fn=partial(seed_worker, num_workers=args.dataloader_num_workers, rank=args.process_index),
            **workers,
        )
        return prepare_data_loader(
            loader, device=args.device, num_processes=1, process_index=0, put_on_device=True, even_batches=False
        )

    def get_test_dataloader(self, test_dataset: Any) -> DataLoader:
        """transformers' own, over what is read in place of the rows."""
        return super().get_test_dataloader(self.instead(test_dataset))

    # ---- learning rates ----

    def get_decay_parameter_names(self, model: nn.Module) -> list[str]:
        """transformers' choice, without the norms that it does not know by their names, and an adapter's factors."""
        norms = norm_parameters(model)
        chosen = super().get_decay_parameter_names(model)
        return [name for name in chosen if name not in norms and not is_factor(name)]

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """transformers' optimizer of that name; over our own groups where parameters differ in their rates.

        Raises:
            ConfigurationError: rates differ, and the optimizer groups the parameters its own way.
        """
        if self.optimizer is None and self.rates is not None and not self.rates.uniform:
            plain = self.plain_model
            kind, settings = self.get_optimizer_cls_and_kwargs(self.args, plain)
            refuse_own_groups(str(self.args.optim), kind, settings)
            decayed = set(self.get_decay_parameter_names(plain))
            groups = parameter_groups(model or plain, self.rates, decayed, self.args.weight_decay)
            # transformers takes these in place of its own groups.
            self.optimizer_cls_and_kwargs = kind, {**settings, "params": groups}
        return super().create_optimizer(model)

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> Any:
        """The lr_schedule of the recipe, over all groups."""
        if (
            self.lr_scheduler is None
            and self.lr_schedule is not None
            and not str(self.args.optim).endswith("layerwise")
        ):
            self.lr_scheduler = ScheduledLR(optimizer or cast(torch.optim.Optimizer, self.optimizer), self.lr_schedule)
            self._created_lr_scheduler = True
        return super().create_scheduler(num_training_steps, optimizer)

    def _get_learning_rate(self) -> float:
        """The base rate; transformers would tell the rate of whichever group comes first."""
        if self.rates is None or self.rates.uniform:
            return super()._get_learning_rate()
        return base_rate_now(cast(torch.optim.Optimizer, self.optimizer).param_groups)

    # ---- loss ----

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """transformers' loss, with frozen modules in eval mode (`training_step` has just called `train()`)."""
        judged, further = None, None
        if model.training:
            hold_frozen_in_eval(self.frozen)
            with self.accelerator.autocast():
                further = self.regularized.beside(inputs)
            inputs, judged = self.regularized.prepared(inputs), self.regularized.losses
        rows = inputs.pop("row")
        weights = inputs.pop("weight", None)
        partner = mixing.taken_from(inputs)
        if self.compute_loss_func is not None:
            # transformers hands labels on to the loss function as they are.
            inputs["labels"] = Targets(inputs["labels"], weights, judged, further)
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
        if self.accelerator.sync_gradients:
            scaler = self.accelerator.scaler
            self.regularized.add_gradients(1.0 if scaler is None else scaler.get_scale())
        self.step.losses.append((loss, rows))
        return loss

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        self.step.gradient = None if norm is None else float(norm)
        return norm

    # ---- averaged weights ----

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        """transformers' evaluation, by the averaged weights where the run has them."""
        with self.regularized.averaged():
            return super().evaluation_loop(*args, **kwargs)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        super()._save(output_dir, state_dict)
        if self.args.should_save:
            self.regularized.save(Path(output_dir or str(self.args.output_dir)))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        self.regularized.load(Path(resume_from_checkpoint))
