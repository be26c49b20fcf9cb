"""Freezes and unfreezes when a phase begins, equally on every rank. Knows phases and the Trainer's callbacks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from transformers import EarlyStoppingCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tunebook.errors import FreezingError, Problem
from tunebook.models.freezing import frozen_modules
from tunebook.models.plan import set_trained
from tunebook.training.phase_schedule import PhaseSchedule, TimedPhase

if TYPE_CHECKING:
    from tunebook.training.trainer import RecipeTrainer

logger = logging.getLogger("tunebook")


class UnfreezeCallback(TrainerCallback):
    """Sets what trains from the number of the next step, so that a resumed run needs no state of its own.

    Optimizer and DDP are built with every parameter that ever trains: DDP leaves out parameters that are frozen when
    it is built, and the ranks' weights would then differ unnoticed. The later phases' are frozen when training begins.

    Raises:
        FreezingError: there are several phases, and the parameters are split over devices.
    """

    def __init__(self, trainer: RecipeTrainer, phase_schedule: PhaseSchedule) -> None:
        self.trainer, self.phase_schedule = trainer, phase_schedule
        self.current: TimedPhase | None = None
        if len(phase_schedule.phases) > 1 and (trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled):
            message = (
                "unfreezes during training, which FSDP and DeepSpeed do not follow: they arrange parameters and "
                "optimizer when training begins. Launch without them, or choose a policy of one phase"
            )
            raise FreezingError(Problem("freezing.policy", message))

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Enter the phase in which training starts or is resumed."""
        self.current = None
        self._enter(state.global_step)

    def on_step_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Enter the phase of the step that begins."""
        self._enter(state.global_step)

    def _enter(self, step: int) -> None:
        phase = self.phase_schedule.at(step)
        if phase is self.current:
            return
        self.current = phase
        model = self.trainer.plain_model
        set_trained(model, phase.planned.trained)
        self.trainer.frozen = frozen_modules(model)
        phases = self.phase_schedule.phases
        if len(phases) > 1 and self.trainer.is_world_process_zero():
            number, where = phases.index(phase) + 1, phase.planned.where
            message = "step %d: phase %d of %d, %s, to step %d; what trains: %s"
            logger.info(message, step + 1, number, len(phases), phase.name, phase.end, where)


class LastPhasePatience(EarlyStoppingCallback):
    """Early stopping that counts in the last phase only: no progress in a phase before it is no reason to stop.

    `begins` is the number of the last phase's first step.
    """

    def __init__(self, early_stopping_patience: int = 1, early_stopping_threshold: float = 0.0, begins: int = 0):
        super().__init__(early_stopping_patience, early_stopping_threshold)
        self.begins = begins

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, metrics: Any = None, **kwargs: Any
    ) -> None:
        """transformers' own, after the first step of the last phase."""
        if state.global_step > self.begins:
            super().on_evaluate(args, state, control, metrics, **kwargs)

    def state(self) -> dict:
        """What a checkpoint stores: transformers makes the callback again from `args`."""
        state = super().state()
        return {**state, "args": {**state["args"], "begins": self.begins}}
