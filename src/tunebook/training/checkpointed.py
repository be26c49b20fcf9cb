"""A Trainer whose checkpoints are whole or not there, and that resumes to the bit; knows nothing of recipes.

What it changes is each a few lines here and explained in docs/decisions.md; everything else is transformers'.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from torch import nn
from transformers import EarlyStoppingCallback, PreTrainedModel, Trainer
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_callback import ExportableState

from tunebook.errors import ConfigurationError, Problem, RunDirectoryError
from tunebook.models.adaptation.adapted import Adapted
from tunebook.training import checkpoints


class CheckpointedTrainer(Trainer):
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

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        if self.adapted is None:
            super()._save(output_dir, state_dict)
        elif self.args.should_save:
            folder = Path(output_dir or str(self.args.output_dir))
            self.adapted.save(folder)
            if self.processing_class is not None:
                self.processing_class.save_pretrained(folder)

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

        transformers 5.23 saves some models (ViT) under the names of previous versions, which its own loading of
        checkpoints does not translate back: it keeps the weights as they are and only warns of missing keys.

        Raises:
            RunDirectoryError: the checkpoint lacks weights of the model, which would be reinitialized.
        """
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        if self.adapted is not None:
            self.adapted.load(Path(resume_from_checkpoint))
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
