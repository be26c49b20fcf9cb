"""Our Trainer: transformers' own, with the loss, the batches, frozen modules and checkpoints done right.

What it changes is each a few lines here and explained in docs/decisions.md; everything else is transformers'.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from accelerate.data_loader import prepare_data_loader
from torch import nn
from torch.utils.data import DataLoader
from transformers import EarlyStoppingCallback, PreTrainedModel, Trainer
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_callback import ExportableState
from transformers.trainer_utils import seed_worker

from tunebook.errors import RunDirectoryError
from tunebook.modeling.freezing import hold_frozen_in_eval
from tunebook.training import checkpoints, mixing
from tunebook.training.batches import EffectiveBatches
from tunebook.training.callbacks import StepFacts
from tunebook.training.losses.base import Loss
from tunebook.training.rows import TrainRows
from tunebook.training.stream import StreamBatches


@dataclass(frozen=True)
class Targets:
    """What the loss is computed against: the labels, and how much each row counts (None: 1)."""

    labels: torch.Tensor
    weights: torch.Tensor | None


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


class RecipeTrainer(Trainer):
    """The Trainer of every recipe.

    Args:
        batches: the micro-batches of this process.
        frozen: modules that are wholly frozen; they stay in eval mode.
        kwargs: of `transformers.Trainer`.
    """

    def __init__(self, *, batches: EffectiveBatches | StreamBatches, frozen: list[nn.Module], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batches, self.frozen = batches, frozen
        # The loss comes from compute_loss_func; the model must not be told the count as well.
        self.model_accepts_loss_kwargs = False
        self.step = StepFacts()

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
        inputs.pop("row", None)
        weights = inputs.pop("weight", None)
        partner = mixing.taken_from(inputs)
        if self.compute_loss_func is not None:
            # transformers hands labels on to the loss function as they are.
            inputs["labels"] = Targets(inputs["labels"], weights)
        if model.training:
            hold_frozen_in_eval(self.frozen)
        with mixing.mixed_embeddings(cast(nn.Module, self.model), partner):
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

    # ---- checkpoints ----

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        root = Path(self._get_output_dir(trial))
        final = root / checkpoints.checkpoint_name(self.state.global_step)
        best = root / checkpoints.checkpoint_name(self.state.best_global_step) if self.state.best_global_step else None
        self.state.best_model_checkpoint = str(best) if best and (best == final or best.is_dir()) else None
        self.store_flos()
        facts = {"step": self.state.global_step, "processes": self.args.world_size}
        main, wait = self.is_world_process_zero(), self.accelerator.wait_for_everyone
        with checkpoints.saving(final, main, wait, facts) as aside:
            self.save_model(str(aside), _internal_call=True)
            self._save_optimizer_and_scheduler(str(aside))
            self._save_scaler(str(aside))
            self._save_rng_state(str(aside))
            if self.args.should_save:
                self._remember_callbacks()
                self.state.save_to_json(str(aside / TRAINER_STATE_NAME))
        if main:
            checkpoints.rotate(root, self.args.save_total_limit, best)

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        better = super()._determine_best_metric(metrics, trial)
        if better and self.args.load_best_model_at_end:
            # With save_steps a multiple of eval_steps the best model could not be loaded at the end.
            self.control.should_save = True
        return better

    def _remember_callbacks(self) -> None:
        kept: Any = self.state.stateful_callbacks
        for callback in [*self.callback_handler.callbacks, self.control]:
            if isinstance(callback, ExportableState):
                kept[type(callback).__name__] = callback.state()

    # ---- resuming ----

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        """The weights of a checkpoint, through `from_pretrained`.

        transformers 5.23 saves some models (ViT) under the names of older versions, which its own loading of
        checkpoints does not translate back: it keeps the weights as they are and only warns of missing keys.

        Raises:
            RunDirectoryError: the checkpoint lacks weights of the model, which would be drawn anew.
        """
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        inner = cast(PreTrainedModel, self.accelerator.unwrap_model(model or self.model))
        load: Any = type(inner).from_pretrained
        saved, said = load(resume_from_checkpoint, dtype=inner.dtype, trust_remote_code=False, output_loading_info=True)
        if lacking := sorted(said["missing_keys"]):
            shown = ", ".join(lacking[:5]) + (f", … ({len(lacking)} in all)" if len(lacking) > 5 else "")
            message = f"{resume_from_checkpoint} lacks {shown}; delete it, and the one before it is used"
            raise RunDirectoryError(message)
        inner.load_state_dict(saved.state_dict())

    def _load_best_model(self) -> None:
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            super()._load_best_model()
        else:
            self._load_from_checkpoint(str(self.state.best_model_checkpoint))

    def _init_training_state(self, *args: Any) -> tuple[int, int]:
        epochs_trained, steps_trained = super()._init_training_state(*args)
        if self.state.best_global_step:
            # The checkpoint holds the path of the machine that wrote it.
            name = checkpoints.checkpoint_name(self.state.best_global_step)
            best = Path(str(self.args.output_dir)) / name
            self.state.best_model_checkpoint = str(best) if best.is_dir() else None
        if self.state.global_step:
            # Evaluated when the run began; once more would count against the patience of early stopping.
            self.args.eval_on_start = False
        # max_steps can lie within an epoch, which transformers would go on with for one more step.
        if self._has_stopped_early() or self.state.global_step >= self.state.max_steps:
            return self.state.num_train_epochs, 0
        return epochs_trained, steps_trained

    def _has_stopped_early(self) -> bool:
        """Whether the run that is resumed had already lost its patience, and only the evaluation is left."""
        return any(
            isinstance(callback, EarlyStoppingCallback)
            and callback.early_stopping_patience_counter >= callback.early_stopping_patience
            for callback in self.callback_handler.callbacks
        )
