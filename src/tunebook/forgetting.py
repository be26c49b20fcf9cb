"""Forgetting measured: previous tasks, scored on this run's backbone before training and after it. Trains nothing.

A previous task has labels of its own, so it keeps its own head, as its run left it; the backbone is this run's. What
changes between the two figures is the backbone alone.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook import files, outcome
from tunebook.config import previous_run
from tunebook.config.schema import Config
from tunebook.evaluation.scorer import Scorer
from tunebook.evaluation.thresholds import Thresholds
from tunebook.reporting.summary import KeptFigure
from tunebook.run_directory import RunDirectory
from tunebook.training import build
from tunebook.training.arguments import training_arguments
from tunebook.training.batches import BatchLayout
from tunebook.training.precision import Precision
from tunebook.training.previous_task import PreviousTask, load_previous
from tunebook.training.processes import Processes
from tunebook.training.trainer import RecipeTrainer, mean_over_batch

logger = logging.getLogger("tunebook")

KEY = "evaluation.retention"
APART = 0.01
"""From here on a loss before training is not the one that the previous run ended with, whatever the precision."""

Figures = dict[str, dict[str, float]]
"""Split -> metric -> value."""


@dataclass(frozen=True)
class Kept:
    """A previous task that is measured.

    Args:
        previous: on this run's backbone.
        trainer: that scores it.
        before: its figures on the backbone that training starts from.
    """

    previous: PreviousTask
    trainer: RecipeTrainer
    before: Figures


def before_training(
    config: Config,
    parts: build.Parts,
    layout: BatchLayout,
    chosen: Precision,
    directory: RunDirectory,
    processes: Processes,
) -> list[Kept]:
    """Score every task of `evaluation.retention` on the backbone as it is now; a resumed run has kept the figures.

    Called before the run's own Trainer is made, which sets all seeds: what is kept changes nothing of the training.

    Args:
        config: of the run.
        parts: of the run; the model has the weights that training starts from, after a resume too.
        layout: of the effective batch.
        chosen: precision of the run.
        directory: of the run, whose record keeps the figures.
        processes: that train together.

    Raises:
        DataError: a previous run's rows are not there any more.
        ModelError: its head does not fit this run's backbone.
    """
    known = dict(directory.record.get("kept", {}))
    found = []
    for folder in dict.fromkeys(config.evaluation.retention):
        run = previous_run.read(folder, KEY)
        previous = load_previous(run, parts.model, parts.processor, processes, outcome.EVALUATED, KEY)
        trainer = _trainer(config, parts, previous, layout, chosen, directory, processes)
        figures = known.get(folder) or _figures(trainer, previous)
        known[folder] = figures
        found.append(Kept(previous, trainer, figures))
        if processes.main:
            _tell_another_backbone(previous, figures)
    if found and processes.main:
        directory.update(kept=known)
    return found


def after_training(kept: list[Kept]) -> list[KeptFigure]:
    """Score them again, on the backbone as it is now, and compare; on every process together."""
    return [
        KeptFigure(run=one.previous.run.folder, split=split, metric=metric, before=before, after=after[split][metric])
        for one in kept
        for after in [_figures(one.trainer, one.previous)]
        for split, metrics in one.before.items()
        for metric, before in sorted(metrics.items(), key=lambda named: named[0] == "loss")
    ]


def _trainer(
    config: Config,
    parts: build.Parts,
    previous: PreviousTask,
    layout: BatchLayout,
    chosen: Precision,
    directory: RunDirectory,
    processes: Processes,
) -> RecipeTrainer:
    """A Trainer that only scores, in the precision and the batches of this run."""
    metric, higher = build.best_metric(config)
    device = processes.state.device
    arguments = training_arguments(config, directory.checkpoints, layout, chosen.name, metric, higher, device)
    arguments.eval_strategy, arguments.report_to = "no", []  # type: ignore[assignment]
    # These would turn the weights of the shared backbone themselves into half precision.
    arguments.bf16_full_eval = arguments.fp16_full_eval = False
    answer, wanted = previous.task.answer, previous.run.config.task.metrics
    return RecipeTrainer(
        batches=build.batches_of(config, parts, layout, processes.rank),
        model=previous.model,
        args=arguments,
        data_collator=previous.collate,
        processing_class=parts.processor,
        compute_loss_func=mean_over_batch(previous.loss()),
        compute_metrics=Scorer.of(wanted, answer, previous.data.label_names, previous.data.splits),
        preprocess_logits_for_metrics=answer.row_scores,
    )


def _figures(trainer: RecipeTrainer, previous: PreviousTask) -> Figures:
    """By the previous run's own metrics, and by the thresholds that it chose."""
    thresholds = _thresholds(previous)
    scorer: Any = trainer.compute_metrics
    scored = {name: outcome.score(trainer, name, split) for name, split in previous.splits.items()}
    return {name: outcome.by_thresholds(scorer, result, thresholds).metrics for name, result in scored.items()}


def _thresholds(previous: PreviousTask) -> Thresholds | None:
    file = previous.run.path / "thresholds.json"
    if not file.is_file():
        return None
    named = files.read_json(file)["thresholds"]
    return Thresholds({previous.data.label_names.index(name): value for name, value in named.items()}, tuned=False)


def _tell_another_backbone(previous: PreviousTask, before: Figures) -> None:
    """The comparison says little where this run does not start from the previous run's backbone."""
    ended = files.read_json(Path(previous.run.path) / "metrics.json")
    for split, metrics in before.items():
        own = ended.get(split, {}).get("loss")
        if own is not None and abs(own - metrics["loss"]) > APART:
            logger.warning(
                "%s: before training its loss on %s is %.4f here and was %.4f in its own run, as this run does not "
                "start from its backbone; to do so: model=auto model.name_or_path=%s",
                previous.run.title, split, metrics["loss"], own, previous.run.model,
            )  # fmt: skip
            return
