"""A Trainer whose checkpoints are complete or do not exist, and that resumes to the bit; knows nothing of recipes.

Each change is explained in docs/decisions.md; the private parts of transformers are reached by `trainer_internals`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from torch import nn
from transformers import EarlyStoppingCallback, PreTrainedModel
from transformers.trainer import TRAINER_STATE_NAME

from tunebook.errors import ConfigurationError, Problem, RunDirectoryError
from tunebook.models.adaptation.adapted import Adapted
from tunebook.training import checkpoints
from tunebook.training.trainer_internals import TrainerHooks


class CheckpointedTrainer(TrainerHooks):
    """transformers' Trainer, with its checkpoints written aside, verified and loaded through `from_pretrained`.

    Args:
        adapted: the model with its adapter, which is then all that is saved; None: without one.
        kwargs: of `transformers.Trainer`.

    Raises:
        ConfigurationError: the model has an adapter and is sharded.
    """

    def __init__(self, *, adapted: Adapted | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.adapted = adapted
        if adapted is not None and self.is_fsdp_enabled:
            message = "an adapter cannot be gathered from the shards of FSDP; launch with DDP, or set adapter=none"
            raise ConfigurationError(Problem("adapter.method", message))

    # ---- checkpoints ----

    def save_weights(self, folder: Path, state_dict: dict[str, Any] | None) -> None:
        """The model's weights, or those of its adapter, with the processor."""
        if self.adapted is None:
            super().save_weights(folder, state_dict)
        elif self.args.should_save:
            self.adapted.save(folder)
            if self.processing_class is not None:
                self.processing_class.save_pretrained(folder)

    def save_checkpoint(self) -> None:
        """Written into a folder of another name, which is renamed when it is complete."""
        root = Path(str(self.args.output_dir))
        final = root / checkpoints.checkpoint_name(self.state.global_step)
        best = root / checkpoints.checkpoint_name(self.state.best_global_step) if self.state.best_global_step else None
        self.state.best_model_checkpoint = str(best) if best and (best == final or best.is_dir()) else None
        self.store_flos()
        facts = {"step": self.state.global_step, "processes": self.args.world_size}
        main, wait = self.is_world_process_zero(), self.accelerator.wait_for_everyone
        with checkpoints.saving(final, main, wait, facts) as folder:
            self.write_checkpoint(folder)
            if self.args.should_save:
                self.record_callbacks()
                self.state.save_to_json(str(folder / TRAINER_STATE_NAME))
        if main:
            checkpoints.rotate(root, self.args.save_total_limit, best)

    def is_new_best(self, metrics: dict[str, float]) -> bool:
        """transformers' own, and then the checkpoint is saved, also where `save_steps` is a multiple of `eval_steps`.

        Otherwise the best model could not be loaded at the end.
        """
        better = super().is_new_best(metrics)
        if better and self.args.load_best_model_at_end:
            self.control.should_save = True
        return better

    # ---- resuming ----

    def load_weights(self, folder: Path, model: nn.Module | None) -> None:
        """The weights of a checkpoint, through `from_pretrained`.

        transformers 5.23 saves some models (ViT) under the names of previous versions, which its own loading of
        checkpoints does not translate back: it leaves the weights as they are and only warns of missing keys.

        Raises:
            RunDirectoryError: the checkpoint lacks weights of the model, which would be reinitialized.
        """
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            super().load_weights(folder, model)
            return
        if self.adapted is not None:
            self.adapted.load(folder)
            return
        inner = cast(PreTrainedModel, self.accelerator.unwrap_model(model or self.model))
        load: Any = type(inner).from_pretrained
        loaded, info = load(str(folder), dtype=inner.dtype, trust_remote_code=False, output_loading_info=True)
        if missing := sorted(info["missing_keys"]):
            shown = ", ".join(missing[:5]) + (f", … ({len(missing)} in all)" if len(missing) > 5 else "")
            raise RunDirectoryError(f"{folder} lacks {shown}; delete it, and the one before it is used")
        inner.load_state_dict(loaded.state_dict())

    def load_best_weights(self) -> None:
        """The weights of the best checkpoint, in the same way as those of any other."""
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            super().load_best_weights()
        else:
            self.load_weights(Path(str(self.state.best_model_checkpoint)), None)

    def start_state(self, *args: Any) -> tuple[int, int]:
        """transformers' own, with the best checkpoint of this folder, and at the end where nothing is left to train."""
        epochs_trained, batches_trained = super().start_state(*args)
        if self.state.best_global_step:
            # The checkpoint holds the path of the machine that wrote it.
            best = Path(str(self.args.output_dir)) / checkpoints.checkpoint_name(self.state.best_global_step)
            self.state.best_model_checkpoint = str(best) if best.is_dir() else None
        if self.state.global_step:
            # Evaluated when the run began; once more would count against the patience of early stopping.
            self.args.eval_on_start = False
        # max_steps may end within an epoch, which transformers would continue for one more step.
        if self._has_stopped_early() or self.state.global_step >= self.state.max_steps:
            return self.state.num_train_epochs, 0
        return epochs_trained, batches_trained

    def _has_stopped_early(self) -> bool:
        """Whether the run that is resumed had already lost its patience, and only the evaluation is left."""
        return any(
            isinstance(callback, EarlyStoppingCallback)
            and callback.early_stopping_patience_counter >= callback.early_stopping_patience
            for callback in self.callback_handler.callbacks
        )
