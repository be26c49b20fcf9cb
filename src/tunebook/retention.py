"""Forgetting measured: previous tasks, scored on this run's backbone before training and after it. Trains nothing.

A previous task has labels of its own, so it has its own head, as its run left it; the backbone is this run's. What
changes between the two figures is the backbone alone.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import files, finish
from tunebook.config import previous_run
from tunebook.evaluation.thresholds import Thresholds
from tunebook.reporting.summary import RetentionFigure
from tunebook.training.arguments import training_arguments
from tunebook.training.evaluation_loop import EvalSplit
from tunebook.training.previous_task import PreviousTask, load_previous
from tunebook.training.trainer import RecipeTrainer, TrainerParts

if TYPE_CHECKING:
    from tunebook.context import RunContext

logger = logging.getLogger("tunebook")

KEY = "evaluation.retention"
TOLERANCE = 0.01
"""From here on a loss before training is not the one that the previous run ended with, whatever the precision."""

Figures = dict[str, dict[str, float]]
"""Split -> metric -> value."""


@dataclass(frozen=True)
class MeasuredTask:
    """A previous task, the Trainer that scores it, and its figures on the backbone that training starts from."""

    previous: PreviousTask
    trainer: RecipeTrainer
    before: Figures


def before_training(context: RunContext) -> list[MeasuredTask]:
    """Score every task of `evaluation.retention` on the backbone as it is now; a resumed run has the figures already.

    Called before the run's own Trainer is made, which sets all seeds: measuring changes nothing of the training.

    Raises:
        DataError: a previous run's rows are not there any more.
        ModelError: its head does not fit this run's backbone.
    """
    known = dict(context.directory.record.get("retention", {}))
    measured = []
    for folder in dict.fromkeys(context.config.evaluation.retention):
        run = previous_run.read(folder, KEY)
        previous = load_previous(context, run, finish.EVALUATED, KEY)
        trainer = _trainer(context, previous)
        known[folder] = known.get(folder) or _figures(trainer, previous)
        measured.append(MeasuredTask(previous, trainer, known[folder]))
        if context.main:
            _warn_of_another_backbone(previous, known[folder])
    if measured and context.main:
        context.directory.update(retention=known)
    return measured


def after_training(measured: list[MeasuredTask]) -> list[RetentionFigure]:
    """Score them again, on the backbone as it is now, and compare; on every process together."""
    return [
        RetentionFigure(
            run=one.previous.run.folder, split=split, metric=metric, before=before, after=after[split][metric]
        )
        for one in measured
        for after in [_figures(one.trainer, one.previous)]
        for split, metrics in one.before.items()
        for metric, before in sorted(metrics.items(), key=lambda named: named[0] == "loss")
    ]


def _trainer(context: RunContext, previous: PreviousTask) -> RecipeTrainer:
    """A Trainer that only scores, in the precision and the batches of this run."""
    arguments = training_arguments(context)
    arguments.eval_strategy, arguments.report_to = "no", []  # type: ignore[assignment]
    # These would turn the weights of the shared backbone themselves into half precision.
    arguments.bf16_full_eval = arguments.fp16_full_eval = False
    parts = TrainerParts(
        task=previous.task,
        targets=previous.data.targets,
        processor=previous.processor,
        metrics=previous.run.config.task.metrics,
        processes=context.processes,
        batches=None,
        loss=None,
        eval_loss=previous.eval_loss(),
    )
    return RecipeTrainer(
        parts,
        model=previous.model,
        args=arguments,
        data_collator=previous.collate,
        processing_class=previous.processor,
    )


def _figures(trainer: RecipeTrainer, previous: PreviousTask) -> Figures:
    """By the previous run's own metrics, and by the thresholds that it chose."""
    thresholds = _thresholds(previous)
    figures = {}
    for name, encoded in previous.splits.items():
        result = finish.score(trainer, name, EvalSplit(name, previous.data.splits[name], encoded))
        figures[name] = finish.by_decision(result, thresholds, trainer.parts.processes).metrics
    return figures


def _thresholds(previous: PreviousTask) -> Thresholds | None:
    file = previous.run.path / "thresholds.json"
    if not file.is_file():
        return None
    named = files.read_json(file)["thresholds"]
    names = list(previous.data.targets.names)
    return Thresholds({names.index(name): value for name, value in named.items()}, tuned=False)


def _warn_of_another_backbone(previous: PreviousTask, before: Figures) -> None:
    """The comparison means little where this run does not start from the previous run's backbone."""
    ended: dict[str, Any] = files.read_json(Path(previous.run.path) / "metrics.json")
    for split, metrics in before.items():
        own = ended.get(split, {}).get("loss")
        if own is not None and abs(own - metrics["loss"]) > TOLERANCE:
            logger.warning(
                "%s: before training its loss on %s is %.4f here and was %.4f in its own run, as this run does not "
                "start from its backbone; to do so: model=auto model.name_or_path=%s",
                previous.run.title, split, metrics["loss"], own, previous.run.model,
            )  # fmt: skip
            return
