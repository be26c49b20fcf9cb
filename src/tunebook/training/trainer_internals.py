"""The one place that touches private parts of transformers' Trainer: each becomes a public method of ours.

Knows transformers alone. tests/training/test_trainer_internals.py holds the signature and the behaviour of each that
Tunebook relies on, so that a new version of transformers fails there, by name, and not in the middle of a run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import Trainer, TrainingArguments
from transformers.trainer_callback import ExportableState

VERIFIED = "5.23.0"
"""The version of transformers that this file was written against."""


class TrainerHooks(Trainer):
    """transformers' Trainer with public methods to override in place of its private ones.

    Each hook's own body is what transformers does; a subclass overrides the hook and calls `super()`.
    """

    # ---- checkpoints ----

    def save_weights(self, folder: Path, state_dict: dict[str, Any] | None) -> None:
        """`_save` (5.23): writes weights, configuration and processor. Ours adds adapters and averaged weights."""
        super()._save(str(folder), state_dict)

    def save_checkpoint(self) -> None:
        """`_save_checkpoint` (5.23): writes a checkpoint in place. Ours must be complete or not exist."""
        super()._save_checkpoint(self.model, None)  # type: ignore[arg-type]

    def write_checkpoint(self, folder: Path) -> None:
        """Weights and training state of this process into a folder, in the order of `_save_checkpoint` (5.23).

        Calls `save_model`, `_save_optimizer_and_scheduler`, `_save_scaler` and `_save_rng_state`; on every rank. The
        Trainer's state is written by the caller, see `record_callbacks`.
        """
        self.save_model(str(folder), _internal_call=True)
        self._save_optimizer_and_scheduler(str(folder))
        self._save_scaler(str(folder))
        self._save_rng_state(str(folder))

    def record_callbacks(self) -> None:
        """Put the state of callbacks and of the control into `self.state`, as the body of `_save_checkpoint` (5.23)."""
        states: Any = self.state.stateful_callbacks
        for callback in [*self.callback_handler.callbacks, self.control]:
            if isinstance(callback, ExportableState):
                states[type(callback).__name__] = callback.state()

    def load_weights(self, folder: Path, model: nn.Module | None) -> None:
        """`_load_from_checkpoint` (5.23): its loading does not translate older names of weights, ours does."""
        super()._load_from_checkpoint(str(folder), model)

    def load_best_weights(self) -> None:
        """`_load_best_model` (5.23): loads by another way than a checkpoint's weights; ours uses one way for both."""
        super()._load_best_model()

    def start_state(self, *args: Any) -> tuple[int, int]:
        """`_init_training_state` (5.23): the state to start from, new or of the checkpoint. Ours corrects it.

        Returns:
            Whole epochs that are done, and micro-batches of the current one that are done.
        """
        return super()._init_training_state(*args)

    # ---- steps ----

    def is_new_best(self, metrics: dict[str, float]) -> bool:
        """`_determine_best_metric` (5.23): whether the monitored metric is the best so far. Ours then saves, too."""
        return super()._determine_best_metric(metrics, None)

    def count_items(self, batches: list[dict[str, Any]], device: torch.device) -> torch.Tensor | int | None:
        """`_get_num_items_in_batch` (5.23): what the loss of an optimizer step is divided by. Ours counts weights."""
        return super()._get_num_items_in_batch(batches, device)

    def gradient_norm(self, model: nn.Module, norm: Any) -> Any:
        """`_get_grad_norm` (5.23): the norm before clipping. Ours notes it, to find values that are not finite."""
        return super()._get_grad_norm(model, grad_norm=norm)

    def logged_learning_rate(self) -> float:
        """`_get_learning_rate` (5.23): the rate of the first group. Ours is the base rate of all groups."""
        return super()._get_learning_rate()

    def use_scheduler(self, scheduler: Any) -> None:
        """Set a scheduler as the Trainer's own: `_created_lr_scheduler` (5.23) lets each training make another."""
        self.lr_scheduler = scheduler
        self._created_lr_scheduler = True

    # ---- transformers' names ----

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        self.save_weights(Path(output_dir or str(self.args.output_dir)), state_dict)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        self.save_checkpoint()

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        self.load_weights(Path(resume_from_checkpoint), model)

    def _load_best_model(self) -> None:
        self.load_best_weights()

    def _init_training_state(self, *args: Any) -> tuple[int, int]:
        return self.start_state(*args)

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        return self.is_new_best(metrics)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor | int | None:
        return self.count_items(batch_samples, device)

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        return self.gradient_norm(model, grad_norm)

    def _get_learning_rate(self) -> float:
        return self.logged_learning_rate()


def limit_to_one_gpu(arguments: TrainingArguments) -> None:
    """One GPU a process: `_n_gpu` (5.23) above 1 makes the Trainer split batches its own way, by DataParallel."""
    arguments._n_gpu = min(arguments.n_gpu, 1)
