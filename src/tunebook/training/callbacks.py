"""Callbacks of every training: agreement before each step, stopping by signal, history, progress. Knows no recipe."""

from __future__ import annotations

import json
import logging
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import ProgressCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tunebook import files
from tunebook.errors import Problem, TrainingDiverged
from tunebook.training.processes import Processes
from tunebook.training.signals import Stopped, StopWish

logger = logging.getLogger("tunebook")


@dataclass
class StepFacts:
    """Facts of the current optimizer step.

    Args:
        losses: (loss, row numbers) of each of its micro-batches.
        gradient: norm of the gradient, None before it is known.
    """

    losses: list[tuple[torch.Tensor, torch.Tensor]] = field(default_factory=list)
    gradient: float | None = None


class StopSync(TrainerCallback):
    """Before each optimizer step the processes agree: are loss and gradient finite, has a signal come?

    They exchange two numbers. A loss or gradient that is not finite stops the run before it changes the weights; after
    a signal the run saves at the end of the step and stops.
    """

    def __init__(self, processes: Processes, wish: StopWish, step: StepFacts) -> None:
        self.processes, self.wish, self.step = processes, wish, step
        self.signal = 0
        self.save_after_epoch = False

    def on_pre_optimizer_step(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Exchange whether this process's step is finite, and its signal."""
        finite = bool(torch.stack([loss for loss, _ in self.step.losses]).isfinite().all())
        # In fp16 a gradient overflows now and then; the scaler skips that step and lowers its scale.
        finite = finite and (args.fp16 or self.step.gradient is None or math.isfinite(self.step.gradient))
        not_finite, number = self.processes.largest([0.0 if finite else 1.0, float(self.wish.number)])
        self.signal = int(number)
        if not_finite:
            self._diverged(args, state)
        self.step.losses.clear()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Request a checkpoint if a signal has come; after an epoch's last step, once it has been evaluated.

        A run that resumes there continues with the next epoch and would never evaluate this one.
        """
        wanted = control.should_save or bool(self.signal)
        last = control.should_training_stop or float(state.epoch).is_integer()
        self.save_after_epoch = wanted and last
        control.should_save = wanted and not last

    def on_epoch_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Request the postponed checkpoint; the evaluation comes first."""
        control.should_save = control.should_save or self.save_after_epoch

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Stop, now that the checkpoint is complete."""
        self.save_after_epoch = False
        if self.signal:
            raise Stopped(self.signal, state.global_step)

    def _diverged(self, args: TrainingArguments, state: TrainerState) -> None:
        losses = self.step.losses
        bad = [(loss, rows) for loss, rows in losses if not loss.isfinite()]
        what = f"loss is {float(bad[0][0])}" if bad else f"gradient's norm is {self.step.gradient}"
        own = [int(row) for _, rows in bad or losses for row in rows]
        # A process whose own losses are finite names no rows when another one's are not.
        reports = self.processes.gather([(what, own, bool(bad))])
        reports = [report for report in reports if report[2]] or reports
        rows = sorted({row for _, own, _ in reports for row in own})
        shown = ", ".join(map(str, rows[:64])) + (f", … ({len(rows)} in all)" if len(rows) > 64 else "")
        raise TrainingDiverged(
            Problem(
                f"step {state.global_step + 1}",
                f"the {reports[0][0]} on training rows {shown} (counted from 0). Look at these rows, lower "
                f"hyperparameters.learning_rate (the base rate is {args.learning_rate:g}), or use "
                "runtime.precision=float32; the weights before this step are in the newest checkpoint",
            )
        )


class History(TrainerCallback):
    """Every logged step as one JSON line; a resumed run continues the history of its checkpoint."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Start the file again, with the entries of the checkpoint."""
        files.write_text(self.path, "".join(f"{json.dumps(entry)}\n" for entry in state.log_history))

    def on_log(self, args: Any, state: TrainerState, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Append the newest entry."""
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(state.log_history[-1]) + "\n")


class Progress(TrainerCallback):
    """One line in the log for each logged step and each evaluation, with the time that is left."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.first_step = 0

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Start the clock."""
        self.began, self.first_step = time.monotonic(), state.global_step

    def on_log(self, args: Any, state: TrainerState, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Log the step or the evaluation."""
        logs = logs or {}
        if "loss" in logs:
            logger.info(
                "step %d/%d   epoch %.2f   loss %.4f   learning rate %.2e   %s left",
                state.global_step,
                state.max_steps,
                logs.get("epoch", 0.0),
                logs["loss"],
                logs.get("learning_rate", 0.0),
                self._left(state),
            )
        elif any(key.startswith("eval_") for key in logs):
            skipped = ("runtime", "per_second", "preparation_time")
            shown = {key.removeprefix("eval_"): value for key, value in logs.items() if key.startswith("eval_")}
            figures = [f"{key} {value:.4f}" for key, value in shown.items() if not key.endswith(skipped)]
            logger.info("step %d/%d   validation: %s", state.global_step, state.max_steps, "   ".join(figures))

    def _left(self, state: TrainerState) -> str:
        done = max(state.global_step - self.first_step, 1)
        seconds = (time.monotonic() - self.began) / done * (state.max_steps - state.global_step)
        return f"{int(seconds // 60)}:{int(seconds % 60):02d}"


class Bar(ProgressCallback):
    """transformers' progress bar without its own lines: `Progress` logs the figures."""

    def on_log(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: see `Progress`."""
