"""What happens beside the training loop: the vote before each step, stopping by signal, history and progress."""

from __future__ import annotations

import json
import logging
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import (
    ProgressCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from tunebook import files
from tunebook.errors import Problem, TrainingDiverged
from tunebook.training.processes import Processes
from tunebook.training.signals import Stopped, StopWish

logger = logging.getLogger("tunebook")


@dataclass
class StepFacts:
    """What is known of the optimizer step that is being made.

    Args:
        losses: (loss, row numbers) of each of its micro-batches.
        gradient: norm of the gradient, None before it is known.
    """

    losses: list[tuple[torch.Tensor, torch.Tensor]] = field(default_factory=list)
    gradient: float | None = None


class StopSync(TrainerCallback):
    """Before each optimizer step the processes agree: are loss and gradient finite, has a signal come?

    One exchange of two numbers. A loss or gradient that is not finite stops the run before it reaches the
    weights; a signal saves after the step and stops.

    Args:
        processes: that vote.
        wish: for signals.
        step: the Trainer's facts; emptied here.
    """

    def __init__(self, processes: Processes, wish: StopWish, step: StepFacts) -> None:
        self.processes, self.wish, self.step = processes, wish, step
        self.signal = 0
        self.waits = False

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Vote."""
        finite = bool(torch.stack([loss for loss, _ in self.step.losses]).isfinite().all())
        # In fp16 a gradient overflows now and then; the scaler skips that step and lowers its scale.
        finite = finite and (args.fp16 or self.step.gradient is None or math.isfinite(self.step.gradient))
        bad, number = self.processes.largest([0.0 if finite else 1.0, float(self.wish.number)])
        self.signal = int(number)
        if bad:
            self._diverged(args, state)
        self.step.losses.clear()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Ask for a checkpoint if a signal has come; after an epoch's last step it waits for the evaluation.

        A run that resumes there goes on with the next epoch and would never evaluate this one.
        """
        wanted = control.should_save or bool(self.signal)
        last = control.should_training_stop or float(state.epoch).is_integer()
        self.waits = wanted and last
        control.should_save = wanted and not last

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Ask for the checkpoint that has waited; the evaluation comes first."""
        control.should_save = control.should_save or self.waits

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Stop, now that the checkpoint is whole."""
        self.waits = False
        if self.signal:
            raise Stopped(self.signal, state.global_step)

    def _diverged(self, args: TrainingArguments, state: TrainerState) -> None:
        losses = self.step.losses
        guilty = [(loss, rows) for loss, rows in losses if not loss.isfinite()]
        what = f"loss is {float(guilty[0][0])}" if guilty else f"gradient's norm is {self.step.gradient}"
        own = [int(row) for _, rows in guilty or losses for row in rows]
        # A process whose own losses are fine names no rows when another one's are not.
        told = self.processes.gather([(what, own, bool(guilty))])
        told = [entry for entry in told if entry[2]] or told
        rows = sorted({row for _, own, _ in told for row in own})
        shown = ", ".join(map(str, rows[:64])) + (f", … ({len(rows)} in all)" if len(rows) > 64 else "")
        raise TrainingDiverged(
            Problem(
                f"step {state.global_step + 1}",
                f"the {told[0][0]} on training rows {shown} (counted from 0). Look at these rows, lower "
                f"hyperparameters.learning_rate (the base rate is {args.learning_rate:g}), or use "
                "runtime.precision=float32; the weights before this step are in the newest checkpoint",
            )
        )


class History(TrainerCallback):
    """Every logged step as one JSON line, in step with the checkpoint that a run resumes from."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start anew, with what the checkpoint remembers."""
        files.write_text(self.path, "".join(f"{json.dumps(entry)}\n" for entry in state.log_history))

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Append the newest entry."""
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(state.log_history[-1]) + "\n")


class Progress(TrainerCallback):
    """One line in the log for each logged step and each evaluation, with the time that is left."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.first_step = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the clock."""
        self.began, self.first_step = time.monotonic(), state.global_step

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Tell."""
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
    """transformers' progress bar without its own lines: `Progress` tells the figures, once and in the log too."""

    def on_log(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: see `Progress`."""
