"""Puts a Trainer together from the parts of a run. Knows each part by its interface only."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any

import datasets
import torch
from torch import nn
from transformers import (
    EarlyStoppingCallback,
    PreTrainedModel,
    PrinterCallback,
    ProgressCallback,
    TrainerCallback,
    TrainingArguments,
)

from tunebook.config.schema import Config
from tunebook.data.sampling.base import Sampling, TrainLabels
from tunebook.evaluation import catalog
from tunebook.evaluation.scorer import Scorer
from tunebook.models.adaptation.adapted import Adapted
from tunebook.models.plan import FreezingPlan
from tunebook.run_directory import RunDirectory
from tunebook.tasks.base import Task
from tunebook.training import precision
from tunebook.training.arguments import training_arguments
from tunebook.training.batches import BatchLayout, EffectiveBatches, batch_layout
from tunebook.training.callbacks import Bar, History, Progress
from tunebook.training.losses.base import Loss
from tunebook.training.phase_schedule import PhaseSchedule, phase_schedule
from tunebook.training.phase_table import freezing_lines
from tunebook.training.precision import Precision
from tunebook.training.processes import Processes
from tunebook.training.rates import base_rate, rate_lines, rates_of
from tunebook.training.regularized import Averaging, refuse_pieces, regularized
from tunebook.training.rows import TrainRows
from tunebook.training.schedules import lr_schedule_of, schedule_of
from tunebook.training.trainer import RecipeTrainer, mean_over_batch
from tunebook.training.unfreezing import LastPhasePatience, UnfreezeCallback

logger = logging.getLogger("tunebook")

DROPPED = "dropped.jsonl"
"""Of a run's folder: rows that were left out."""


@dataclass(frozen=True)
class Parts:
    """What a run has made so far.

    Args:
        task: what is learned.
        model: to be trained.
        processor: of the model.
        splits: encoded.
        train_rows: the training rows as the loader asks for them.
        labels: of the training rows.
        sampling: which rows an epoch holds.
        loss: that is minimized.
        freezing: what trains, and when.
        adapted: the model with its adapter; None: without one.
        label_noise: what was found of wrong labels, for the run directory; None: not looked for.
    """

    task: Task
    model: PreTrainedModel
    processor: Any
    splits: dict[str, datasets.Dataset]
    train_rows: TrainRows
    labels: TrainLabels
    sampling: Sampling
    loss: Loss
    freezing: FreezingPlan
    adapted: Adapted | None = None
    label_noise: dict[str, Any] | None = None


def best_metric(config: Config) -> tuple[str, bool]:
    """The metric that picks the best checkpoint, without `eval_`, and whether more of it is better."""
    name = (config.hyperparameters.metric_for_best_model or config.task.metrics[0]).removeprefix("eval_")
    known = False if name == "loss" else catalog.direction(name)
    return name, bool(config.hyperparameters.greater_is_better) if known is None else known


def layout_of(config: Config, processes: int) -> BatchLayout:
    """How the effective batch is shared out."""
    wanted = config.hyperparameters
    return batch_layout(
        wanted.effective_batch_size,
        wanted.per_device_train_batch_size or 8,
        processes,
        wanted.gradient_accumulation_steps or 1,
    )


def with_effective_batch(config: Config, layout: BatchLayout) -> Config:
    """The configuration with the effective batch spelled out.

    Left to the number of processes it shapes the model unsaid: neither a resumed run nor a frozen recipe
    would notice that there are more or fewer of them.
    """
    if config.hyperparameters.effective_batch_size is not None:
        return config
    said = {"effective_batch_size": layout.effective, "gradient_accumulation_steps": None}
    return config.model_copy(update={"hyperparameters": config.hyperparameters.model_copy(update=said)})


def phase_schedule_of(config: Config, parts: Parts, layout: BatchLayout) -> PhaseSchedule:
    """The phases of the run in optimizer steps.

    Raises:
        FreezingError: they do not fit the length of the training.
    """
    per_epoch = math.ceil(len(batches_of(config, parts, layout, 0)) / layout.accumulation)
    wanted = config.hyperparameters
    if wanted.max_steps is not None and wanted.max_steps > 0:
        return phase_schedule(parts.freezing, per_epoch, wanted.max_steps, base_rate(wanted))
    epochs = TrainingArguments.num_train_epochs if wanted.num_train_epochs is None else wanted.num_train_epochs
    return phase_schedule(parts.freezing, per_epoch, math.ceil(epochs * per_epoch), base_rate(wanted))


def batches_of(config: Config, parts: Parts, layout: BatchLayout, rank: int) -> EffectiveBatches:
    """This process's micro-batches. Length grouping needs lengths, which only some tasks have."""
    train = parts.splits["train"]
    wanted = config.hyperparameters
    seed = wanted.seed if wanted.data_seed is None else wanted.data_seed
    lengths = list(train["length"][:]) if "length" in train.column_names else None
    return EffectiveBatches(parts.sampling, layout, rank, wanted.train_sampling_strategy, seed, lengths)


def choose_precision(
    config: Config, parts: Parts, layout: BatchLayout, processes: Processes, before: dict[str, str] | None
) -> Precision:
    """The precision of the run: that of the interrupted run, else chosen by the main process for all."""
    if before and config.runtime.precision in {"auto", before["name"]}:
        return Precision(before["name"], before["chosen_by"])  # type: ignore[arg-type]
    if before:
        logger.warning(
            "this run began in %s and goes on in %s, as runtime.precision says",
            before["name"],
            config.runtime.precision,
        )
    chosen = None
    if processes.main:
        batches: Any = batches_of(config, parts, layout, 0)
        keys = next(iter(batches))[: precision.PROBED_ROWS]
        batch = parts.task.collator(parts.processor)(parts.train_rows.__getitems__(keys))
        labels = batch.pop("labels")
        inputs = {name: values for name, values in batch.items() if name not in {"row", "weight"}}

        def step(model: nn.Module) -> torch.Tensor:
            return parts.loss(model(**inputs)["logits"], labels).mean()

        chosen = precision.choose(config.runtime.precision, processes.state.device, step, parts.model)
    return processes.from_main(chosen)


def build_trainer(
    config: Config, parts: Parts, layout: BatchLayout, chosen: Precision, directory: RunDirectory, processes: Processes
) -> RecipeTrainer:
    """The Trainer of a run, ready to train.

    Args:
        config: of the run.
        parts: the task, model, processor and encoded splits.
        layout: of the effective batch.
        chosen: precision.
        directory: of the run.
        processes: that train together.
    """
    metric, higher = best_metric(config)
    device = processes.state.device
    arguments = training_arguments(config, directory.checkpoints, layout, chosen.name, metric, higher, device)
    steps = phase_schedule_of(config, parts, layout)
    if len(steps.phases) > 1:
        # Parameters of other phases get no gradient, also where layers are checkpointed.
        arguments.ddp_find_unused_parameters = True
    wanted = config.hyperparameters
    rates = rates_of(parts.model, parts.freezing.depth, parts.freezing.ever, wanted)
    trainer = RecipeTrainer(
        rates=rates,
        lr_schedule=lr_schedule_of(schedule_of(wanted), steps, rates.base, wanted.optim or ""),
        batches=batches_of(config, parts, layout, processes.rank),
        model=parts.model,
        adapted=parts.adapted,
        args=arguments,
        data_collator=parts.task.collator(parts.processor),
        train_dataset=parts.train_rows,
        eval_dataset=parts.splits.get("validation"),
        processing_class=parts.processor,
        compute_loss_func=mean_over_batch(parts.loss),
        compute_metrics=Scorer.of(config.task.metrics, parts.task.answer, parts.labels.names, parts.splits),
        preprocess_logits_for_metrics=parts.task.answer.row_scores,
        callbacks=_callbacks(config, directory, processes, steps),
    )
    trainer.add_callback(UnfreezeCallback(trainer, steps))
    trainer.freezing_lines = [*freezing_lines(steps, rates), *rate_lines(rates)]
    refuse_pieces(config, trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled)
    trainer.regularized = regularized(config, parts.model, parts.processor, parts.task.answer.kind, processes)
    trainer.add_callback(Averaging(trainer.regularized.averages))
    bar = not arguments.disable_tqdm and processes.main
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    if bar:
        trainer.add_callback(Bar)
    return trainer


def checkpoint_bytes(model: nn.Module, adapted: Adapted | None = None, averaged: bool = False) -> int:
    """About how much one checkpoint takes: weights, and for those that train two moments of AdamW and the average."""
    parameters = list(model.parameters())
    saved = parameters if adapted is None else list(adapted.state().values())
    weights = sum(values.numel() * values.element_size() for values in saved)
    return weights + sum(
        (12 if averaged else 8) * parameter.numel() for parameter in parameters if parameter.requires_grad
    )


def _callbacks(
    config: Config, directory: RunDirectory, processes: Processes, steps: PhaseSchedule
) -> list[TrainerCallback]:
    callbacks: list[TrainerCallback] = []
    if processes.main:
        callbacks += [History(directory.path / "history.jsonl"), Progress()]
    wanted = config.hyperparameters
    if wanted.early_stopping_patience:
        patience, threshold = wanted.early_stopping_patience, wanted.early_stopping_threshold
        begins = steps.phases[-1].first
        callbacks.append(
            LastPhasePatience(patience, threshold, begins) if begins else EarlyStoppingCallback(patience, threshold)
        )
    return callbacks
