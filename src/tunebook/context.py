"""RunContext: what a run is made of, built once by `tunebook.setup.build_context` and handed down whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import datasets

from tunebook.config.schema import Config
from tunebook.data.prepare import PreparedData
from tunebook.data.sampling.base import Sampling
from tunebook.models.adaptation.adapted import Adapted
from tunebook.models.plan import FreezingPlan
from tunebook.run_directory import RunDirectory
from tunebook.session import Session
from tunebook.tasks.base import Task
from tunebook.training.batches import BatchLayout
from tunebook.training.evaluation_loop import EvalSplit
from tunebook.training.losses.base import Loss
from tunebook.training.phase_schedule import PhaseSchedule
from tunebook.training.precision import Precision
from tunebook.training.processes import Processes
from tunebook.training.rows import TrainExamples


@dataclass(frozen=True)
class RunContext:
    """Everything that training, evaluation and reporting need.

    Args:
        session: processes, directory and clock.
        config: checked, with the effective batch spelled out.
        layout: of the effective batch.
        task: what is learned.
        data: prepared rows.
        model: to be trained, with its adapter where it has one, on its device.
        processor: of the model.
        encoded: split -> its examples.
        train_examples: the training examples as the loader asks for them.
        eval_splits: the splits that are evaluated, by name.
        sampling: which examples an epoch holds.
        loss: that training minimizes; None: the model's own.
        eval_loss: that evaluation reports, without weights and smoothing; None: the model's own.
        freezing: what trains, and when.
        phases: the same in optimizer steps.
        precision: of the arithmetic.
        adapted: the model with its adapter; None: without one.
        label_noise: what was found of wrong labels, for the run directory; None: not looked for.
    """

    session: Session
    config: Config
    layout: BatchLayout
    task: Task
    data: PreparedData
    model: Any
    processor: Any
    encoded: dict[str, datasets.Dataset]
    train_examples: TrainExamples
    eval_splits: dict[str, EvalSplit]
    sampling: Sampling
    loss: Loss | None
    eval_loss: Loss | None
    freezing: FreezingPlan
    phases: PhaseSchedule
    precision: Precision
    adapted: Adapted | None = None
    label_noise: dict[str, Any] | None = None

    @property
    def processes(self) -> Processes:
        """That train together."""
        return self.session.processes

    @property
    def directory(self) -> RunDirectory:
        """Of the run."""
        return self.session.directory

    @property
    def main(self) -> bool:
        """Whether this process writes and logs."""
        return self.processes.main

    def collate(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Examples -> a batch, by the task."""
        return self.task.collate(examples, self.processor)
