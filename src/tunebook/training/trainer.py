"""Our Trainer: transformers' own, with the loss, the batches, the rates and frozen modules done right.

Each change is explained in docs/decisions.md; tasks are known by their contract (`tunebook.tasks.base`) only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from accelerate.data_loader import prepare_data_loader
from torch import nn
from torch.utils.data import DataLoader, Dataset
from transformers import PreTrainedModel
from transformers.trainer_utils import EvalLoopOutput, seed_worker

from tunebook.data.labels.base import Targets
from tunebook.models.adaptation.adapted import Adapted
from tunebook.models.adaptation.parameter_names import is_factor
from tunebook.models.freezing import frozen_modules, hold_frozen_in_eval
from tunebook.models.parameter_kinds import norm_parameters
from tunebook.tasks.base import Task
from tunebook.training import mixing
from tunebook.training.batches import EffectiveBatches
from tunebook.training.callbacks import StepFacts
from tunebook.training.checkpointed import CheckpointedTrainer
from tunebook.training.evaluation_loop import EvalBatches, EvalSplit, Gathered, counted_only
from tunebook.training.losses.base import Loss
from tunebook.training.phase_schedule import PhaseSchedule
from tunebook.training.processes import Processes
from tunebook.training.rates import Rates, base_rate_now, parameter_groups, refuse_own_groups
from tunebook.training.regularized import Regularized
from tunebook.training.rows import TrainExamples
from tunebook.training.schedules import LRSchedule, ScheduledLR
from tunebook.training.unfreezing import UnfreezeCallback

ForwardContext = Callable[[nn.Module, dict[str, Any]], AbstractContextManager[None]]
"""From the model without wrappers and a batch, which it may change, to the context in which they are run."""


@dataclass(frozen=True)
class TrainerParts:
    """What a `RecipeTrainer` is made of besides the arguments of transformers' own.

    Training minimizes `loss`; evaluation reports `eval_loss`, without weights and smoothing; None: the model's own.
    Without `rates` all train at `learning_rate`, without `lr_schedule` as transformers schedules it; without `phases`
    what requires a gradient now trains to the end. `step` is shared with the callback that checks it.
    """

    task: Task
    targets: Targets
    processor: Any
    metrics: Sequence[str]
    processes: Processes
    batches: EffectiveBatches | None
    loss: Loss | None
    eval_loss: Loss | None
    step: StepFacts = field(default_factory=StepFacts)
    adapted: Adapted | None = None
    rates: Rates | None = None
    lr_schedule: LRSchedule | None = None
    phases: PhaseSchedule | None = None
    regularized: Regularized = field(default_factory=Regularized)
    forward_context: ForwardContext | None = None


class RecipeTrainer(CheckpointedTrainer):
    """The Trainer of every recipe; whole when it is constructed.

    The loss of a step is a sum divided by what the whole effective batch counts (rows, tokens, boxes), over
    micro-batches and ranks: most heads of transformers 5 ignore `num_items_in_batch`, and their gradients grow with
    the number of micro-batches and ranks (transformers #47688). A sum over a count is exact for every split.
    """

    loss_is_scaled_for_ga = True

    def __init__(self, parts: TrainerParts, **kwargs: Any) -> None:
        super().__init__(adapted=parts.adapted, **kwargs)
        self.parts = parts
        self.regularized = parts.regularized
        self.lr_schedule = parts.lr_schedule
        self._unwrapped: tuple[Any, PreTrainedModel] | None = None
        self._gathered: Gathered | None = None
        self.frozen = frozen_modules(self.plain_model)  # they stay in eval mode
        self.model_accepts_loss_kwargs = False  # else the model divides by the count as well
        if parts.phases is not None:
            self.add_callback(UnfreezeCallback(self, parts.phases))

    @property
    def plain_model(self) -> PreTrainedModel:
        """The model without the wrappers of DDP and the like."""
        if self._unwrapped is None or self._unwrapped[0] is not self.model:
            # Looks through every module, which is too much for each forward of a small model.
            self._unwrapped = self.model, cast(PreTrainedModel, self.accelerator.unwrap_model(self.model))
        return self._unwrapped[1]

    # ---- batches ----

    def get_train_dataloader(self) -> DataLoader:
        """The epoch's micro-batches of this process."""
        examples = self.regularized.wrap_rows(cast(TrainExamples, self.train_dataset))
        collate = self.regularized.wrap_collator(mixing.Paired(self.data_collator))
        return self._loader(examples, self.parts.batches, collate)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader:
        """Every example once, in order; shared out by whole batches."""
        split = cast(EvalSplit, self.eval_dataset if eval_dataset is None else eval_dataset)
        args = self.args
        batches = EvalBatches(len(split), args.eval_batch_size, args.process_index, args.world_size)
        return self._loader(split, batches, self.data_collator)

    def get_test_dataloader(self, test_dataset: Any) -> DataLoader:
        """As for evaluation."""
        return self.get_eval_dataloader(test_dataset)

    def _loader(self, examples: Any, batches: Any, collate: Callable[..., Any]) -> DataLoader:
        """A loader of batches that are shared out already, so that nothing shards them again."""
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
            cast(Dataset, examples),
            batch_sampler=batches,
            collate_fn=collate,
            num_workers=args.dataloader_num_workers,
            pin_memory=args.dataloader_pin_memory and torch.cuda.is_available(),
            worker_init_fn=partial(seed_worker, num_workers=args.dataloader_num_workers, rank=args.process_index),
            **workers,
        )
        return prepare_data_loader(
            loader, device=args.device, num_processes=1, process_index=0, put_on_device=True, even_batches=False
        )

    def count_items(self, batches: list[dict[str, Any]], device: torch.device) -> torch.Tensor | None:
        """What the loss of an optimizer step is divided by: units over its micro-batches and all ranks."""
        if not batches:
            return None
        count = torch.stack([self.parts.task.count(batch) for batch in batches]).sum()
        return self.accelerator.gather(count.to(device)).sum()

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
        rates = self.parts.rates
        if self.optimizer is None and rates is not None and not rates.uniform:
            plain = self.plain_model
            kind, settings = self.get_optimizer_cls_and_kwargs(self.args, plain)
            refuse_own_groups(str(self.args.optim), kind, settings)
            decayed = set(self.get_decay_parameter_names(plain))
            groups = parameter_groups(model or plain, rates, decayed, self.args.weight_decay)
            # transformers takes these in place of its own groups.
            self.optimizer_cls_and_kwargs = kind, {**settings, "params": groups}
        return super().create_optimizer(model)

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> Any:
        """The schedule of the recipe, over all groups."""
        layerwise = str(self.args.optim).endswith("layerwise")
        if self.lr_scheduler is None and self.lr_schedule is not None and not layerwise:
            self.use_scheduler(ScheduledLR(optimizer or cast(torch.optim.Optimizer, self.optimizer), self.lr_schedule))
        return super().create_scheduler(num_training_steps, optimizer)

    def logged_learning_rate(self) -> float:
        """The base rate; transformers would tell the rate of whichever group comes first."""
        if self.parts.rates is None or self.parts.rates.uniform:
            return super().logged_learning_rate()
        return base_rate_now(cast(torch.optim.Optimizer, self.optimizer).param_groups)

    # ---- loss ----

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """The task's loss over the count of the whole step, with frozen modules in eval mode."""
        hold_frozen_in_eval(self.frozen)  # `training_step` has just called `train()`
        batch = dict(inputs)
        with self.accelerator.autocast():
            extra = self.regularized.extra_loss(batch)
        batch = self.regularized.prepared(batch)
        loss = None if self.parts.loss is None else self.regularized.loss(self.parts.loss)
        outputs = self._forward(model, batch)
        summed = self.parts.task.loss(outputs, batch, loss)
        total = summed.total if extra is None else summed.total + extra
        count = summed.count if num_items_in_batch is None else num_items_in_batch
        # DDP averages the gradients of ranks, and the sum is wanted.
        mean = total / count * (1 if num_items_in_batch is None else self.accelerator.num_processes)
        return (mean, outputs) if return_outputs else mean

    def _forward(self, model: nn.Module, batch: dict[str, Any]) -> Any:
        partner, context = mixing.taken_from(batch), self.parts.forward_context
        with (
            nullcontext() if context is None else context(self.plain_model, batch),
            mixing.mixed_embeddings(self.plain_model, partner),
        ):
            return self.parts.task.forward(model, batch)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """transformers' estimate, which is of whole forward passes; 0 where a part of them is cached."""
        return 0 if self.parts.forward_context else super().floating_point_ops(inputs)

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """transformers' step; notes each micro-batch's loss and row numbers for the check that it is finite."""
        rows = inputs["row"]
        loss = super().training_step(model, inputs, num_items_in_batch)
        if self.accelerator.sync_gradients:
            scaler = self.accelerator.scaler
            self.regularized.add_gradients(1.0 if scaler is None else scaler.get_scale())
        self.parts.step.losses.append((loss, rows))
        return loss

    def gradient_norm(self, model: nn.Module, norm: Any) -> Any:
        """transformers' own; noted for the check that it is finite."""
        norm = super().gradient_norm(model, norm)
        self.parts.step.gradient = None if norm is None else float(norm)
        return norm

    # ---- evaluation ----

    def prediction_step(
        self, model: nn.Module, inputs: dict[str, Any], prediction_loss_only: bool, ignore_keys: Any = None
    ) -> tuple[None, None, None]:
        """Predicts a batch and hands what is small of it to the main process; transformers' loop collects nothing."""
        gathered = cast(Gathered, self._gathered)
        batch = self._prepare_inputs(inputs)
        with torch.no_grad(), self.accelerator.autocast():
            outputs = self._forward(model, batch)
            loss = self.parts.task.loss(outputs, batch, self.parts.eval_loss)
            predictions = self.parts.task.predict(self.plain_model, outputs, batch, self.parts.processor)
        losses = gathered.add_loss(loss, batch)
        piece = counted_only(predictions, losses, batch["weight"])
        gathered.add(self.parts.processes.gather([piece]))
        return None, None, None

    def evaluation_loop(
        self,
        dataloader: DataLoader,
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> EvalLoopOutput:
        """transformers' loop over our gathering; `predictions` of what it returns are `Gathered`, of the main process.

        By the averaged weights where the run has them.
        """
        task, targets = self.parts.task, self.parts.targets
        split = cast(EvalSplit, dataloader.dataset)
        evaluator = task.evaluator(self.parts.metrics, targets) if self.parts.processes.main else None
        self._gathered = gathered = Gathered(split, task, targets, evaluator)
        with self.regularized.averaged():
            output = super().evaluation_loop(dataloader, description, False, ignore_keys, metric_key_prefix)
        self._gathered = None
        gathered.close()
        sums = self.parts.processes.gather([(gathered.total, gathered.count)])
        total, count = (sum(values) for values in zip(*sums, strict=True))
        figures = {**evaluator.compute(), "loss": total / max(count, 1.0)} if evaluator is not None else {}
        figures = self.parts.processes.from_main(figures)
        if output.metrics is not None:
            output.metrics.update({f"{metric_key_prefix}_{name}": value for name, value in figures.items()})
        return EvalLoopOutput(cast(Any, gathered), None, output.metrics, len(split))

    # ---- averaged weights ----

    def save_weights(self, folder: Path, state_dict: dict[str, Any] | None) -> None:
        """Those of the model, and the averaged ones."""
        super().save_weights(folder, state_dict)
        if self.args.should_save:
            self.regularized.save(folder)

    def load_weights(self, folder: Path, model: nn.Module | None) -> None:
        """What `save_weights` wrote."""
        super().load_weights(folder, model)
        self.regularized.load(folder)
