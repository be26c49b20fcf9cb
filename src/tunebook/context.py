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

    `config` has the effective batch spelled out. `model` has its adapter (`adapted`, or None) and is on its device.
    `encoded` holds the examples of every split, `train_examples` as the loader asks for them, `eval_splits` those that
    are evaluated. Training minimizes `loss`, evaluation reports `eval_loss`, without weights and smoothing; None: the
    model's own. `phases` are those of `freezing` in optimizer steps. `label_noise` is what the run directory keeps of
    labels that are probably wrong; None: not looked for.
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
