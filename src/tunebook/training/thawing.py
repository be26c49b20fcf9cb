"""Freezes and thaws at the border of phases, on every rank alike; knows timetables and the Trainer's callbacks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tunebook.modeling.freezing import frozen_modules
from tunebook.modeling.plan import set_trained
from tunebook.training.timetable import TimedPhase, Timetable

if TYPE_CHECKING:
    from tunebook.training.trainer import RecipeTrainer

logger = logging.getLogger("tunebook")


class Thawing(TrainerCallback):
    """Sets what trains by the step that comes next, so that a resumed run needs no state of its own.

    Optimizer and DDP are built with every parameter that ever trains: DDP knows no parameter that was frozen when
    it was built, and ranks then drift apart unnoticed. Only when training begins are the later ones frozen.

    Args:
        trainer: whose model it is.
        timetable: of the run.
    """

    def __init__(self, trainer: RecipeTrainer, timetable: Timetable) -> None:
        self.trainer, self.timetable = trainer, timetable
        self.current: TimedPhase | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """The phase in which training starts or goes on."""
        self._enter(state.global_step)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """The phase of the step that begins."""
        self._enter(state.global_step)

    def _enter(self, step: int) -> None:
        phase = self.timetable.at(step)
        if phase is self.current:
            return
        self.current = phase
        model = self.trainer.plain_model
        set_trained(model, phase.planned.trained)
        self.trainer.frozen = frozen_modules(model)
        if len(self.timetable.phases) > 1 and self.trainer.is_world_process_zero():
            table = phase.planned.table
            logger.info("step %d: %s; %s", step, phase.planned.phase.name, table.lines()[-1])
