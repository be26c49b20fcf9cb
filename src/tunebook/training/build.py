"""Puts a Trainer together from the context of a run. Knows each part by its interface only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import nn
from transformers import EarlyStoppingCallback, PrinterCallback, ProgressCallback, TrainerCallback

from tunebook.models.adaptation.adapted import Adapted
from tunebook.training.arguments import training_arguments
from tunebook.training.backbone_cache import BackboneCache, CacheCheck
from tunebook.training.batches import EffectiveBatches
from tunebook.training.callbacks import Bar, History, Progress, StepFacts, StopSync
from tunebook.training.phase_table import freezing_lines
from tunebook.training.rates import Rates, rate_lines, rates_of
from tunebook.training.regularized import Averaging, refuse_pieces, regularized
from tunebook.training.schedules import lr_schedule_of
from tunebook.training.signals import StopWish
from tunebook.training.trainer import RecipeTrainer, TrainerParts
from tunebook.training.unfreezing import LastPhasePatience

if TYPE_CHECKING:
    from tunebook.context import RunContext


def build_trainer(
    context: RunContext,
    cache: BackboneCache | None = None,
    stop: StopWish | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> RecipeTrainer:
    """The Trainer of a run, ready to train; without a cache every forward pass runs the whole model."""
    config, phases = context.config, context.phases
    arguments, rates, step = training_arguments(context), rates_of_run(context), StepFacts()
    methods = regularized(context)
    parts = TrainerParts(
        task=context.task,
        targets=context.data.targets,
        processor=context.processor,
        metrics=config.task.metrics,
        processes=context.processes,
        batches=batches_of(context),
        loss=context.loss,
        eval_loss=context.eval_loss,
        step=step,
        adapted=context.adapted,
        rates=rates,
        lr_schedule=lr_schedule_of(config.hyperparameters, phases),
        phases=phases,
        regularized=methods,
        forward_context=cache.forward_context if cache else None,
    )
    trainer = RecipeTrainer(
        parts,
        model=context.model,
        args=arguments,
        data_collator=cache.collator() if cache else context.collate,
        train_dataset=cache.train_examples() if cache else context.train_examples,
        eval_dataset=eval_split(context, "validation", cache),
        processing_class=context.processor,
        callbacks=[
            *_callbacks(context),
            StopSync(context.processes, stop or StopWish(), step),
            *([CacheCheck(cache)] if cache else []),
            *callbacks,
        ],
    )
    refuse_pieces(config, trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled)
    trainer.add_callback(Averaging(methods.averages))
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    if not arguments.disable_tqdm and context.main:
        trainer.add_callback(Bar)
    return trainer


def eval_split(context: RunContext, name: str, cache: BackboneCache | None) -> Any:
    """A split to evaluate, with the states of frozen layers where there are some; None: there is no such split."""
    split = context.eval_splits.get(name)
    return cache.eval_split(split) if cache and split is not None else split


def batches_of(context: RunContext) -> EffectiveBatches:
    """The micro-batches of this process."""
    wanted, encoded = context.config.hyperparameters, context.encoded["train"]
    seed = wanted.seed if wanted.data_seed is None else wanted.data_seed
    lengths = list(encoded["length"][:]) if "length" in encoded.column_names else None
    strategy = wanted.train_sampling_strategy
    return EffectiveBatches(context.sampling, context.layout, context.processes.rank, strategy, seed, lengths)


def rates_of_run(context: RunContext) -> Rates:
    """At which share of the base rate each parameter trains."""
    freezing = context.freezing
    return rates_of(context.model, freezing.depth, freezing.ever, context.config.hyperparameters)


def freezing_table(context: RunContext) -> list[str]:
    """What trains when and at which rate, as lines to print."""
    rates = rates_of_run(context)
    return [*freezing_lines(context.phases, rates), *rate_lines(rates)]


def checkpoint_bytes(model: nn.Module, adapted: Adapted | None = None, averaged: bool = False) -> int:
    """About how much one checkpoint takes: weights, and for those that train two moments of AdamW and the average."""
    parameters = list(model.parameters())
    saved = parameters if adapted is None else list(adapted.state().values())
    weights = sum(values.numel() * values.element_size() for values in saved)
    trained = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
    return weights + (12 if averaged else 8) * trained


def _callbacks(context: RunContext) -> list[TrainerCallback]:
    callbacks: list[TrainerCallback] = []
    if context.main:
        callbacks += [History(context.directory.path / "history.jsonl"), Progress()]
    wanted = context.config.hyperparameters
    if wanted.early_stopping_patience:
        patience, threshold = wanted.early_stopping_patience, wanted.early_stopping_threshold
        begins = context.phases.phases[-1].first
        callbacks.append(
            LastPhasePatience(patience, threshold, begins) if begins else EarlyStoppingCallback(patience, threshold)
        )
    return callbacks
