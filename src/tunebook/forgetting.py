"""Forgetting measured: older tasks, scored on this run's trunk before training and after it. Trains nothing.

An older task has labels of its own, so it keeps its own head, as its run left it; the trunk is this run's. What
changes between the two figures is the trunk alone.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook import files, outcome
from tunebook.config import older_run
from tunebook.config.schema import Config
from tunebook.evaluation.scorer import Scorer
from tunebook.evaluation.thresholds import Thresholds
from tunebook.reporting.summary import KeptFigure
from tunebook.run_directory import RunDirectory
from tunebook.training import build
from tunebook.training.arguments import training_arguments
from tunebook.training.batches import BatchLayout
from tunebook.training.older import OlderTask, load_older
from tunebook.training.precision import Precision
from tunebook.training.processes import Processes
from tunebook.training.trainer import RecipeTrainer, mean_over_batch

logger = logging.getLogger("tunebook")

KEY = "evaluation.keep"
APART = 0.01
"""From here on a loss before training is not the one that the older run ended with, whatever the precision."""

Figures = dict[str, dict[str, float]]
"""Split -> metric -> value."""


@dataclass(frozen=True)
class Kept:
    """An older task that is measured.

    Args:
        older: on this run's trunk.
        trainer: that scores it.
        before: its figures on the trunk that training starts from.
    """

    older: OlderTask
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
    """Score every task of `evaluation.keep` on the trunk as it is now; a resumed run has kept the figures.

    Called before the run's own Trainer is made, which sets all seeds: what is kept changes nothing of the training.

    Args:
        config: of the run.
        parts: of the run; the model has the weights that training starts from, after a resume too.
        layout: of the effective batch.
        chosen: precision of the run.
        directory: of the run, whose record keeps the figures.
        processes: that train together.

    Raises:
        DataError: an older run's rows are not there any more.
        ModelError: its head does not fit this run's trunk.
    """
    known = dict(directory.record.get("kept", {}))
    found = []
    for folder in dict.fromkeys(config.evaluation.keep):
        run = older_run.read(folder, KEY)
        older = load_older(run, parts.model, parts.processor, processes, outcome.EVALUATED, KEY)
        trainer = _trainer(config, parts, older, layout, chosen, directory, processes)
        figures = known.get(folder) or _figures(trainer, older)
        known[folder] = figures
        found.append(Kept(older, trainer, figures))
        if processes.main:
            _tell_another_trunk(older, figures)
    if found and processes.main:
        directory.update(kept=known)
    return found


def after_training(kept: list[Kept]) -> list[KeptFigure]:
    """Score them again, on the trunk as it is now, and compare; on every process together."""
    return [
        KeptFigure(run=one.older.run.said, split=split, metric=metric, before=before, after=after[split][metric])
        for one in kept
        for after in [_figures(one.trainer, one.older)]
        for split, metrics in one.before.items()
        for metric, before in sorted(metrics.items(), key=lambda named: named[0] == "loss")
    ]


def _trainer(
    config: Config,
    parts: build.Parts,
    older: OlderTask,
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
    # These would turn the weights of the shared trunk themselves into half precision.
    arguments.bf16_full_eval = arguments.fp16_full_eval = False
    answer, wanted = older.task.answer, older.run.config.task.metrics
    return RecipeTrainer(
        batches=build.batches_of(config, parts, layout, processes.rank),
        model=older.model,
        args=arguments,
        data_collator=older.collate,
        processing_class=parts.processor,
        compute_loss_func=mean_over_batch(older.loss()),
        compute_metrics=Scorer.of(wanted, answer, older.data.label_names, older.data.splits),
        preprocess_logits_for_metrics=answer.row_scores,
    )


def _figures(trainer: RecipeTrainer, older: OlderTask) -> Figures:
    """By the older run's own metrics, and by the thresholds that it chose."""
    thresholds = _thresholds(older)
    scorer: Any = trainer.compute_metrics
    scored = {name: outcome.score(trainer, name, split) for name, split in older.splits.items()}
    return {name: outcome.by_thresholds(scorer, result, thresholds).metrics for name, result in scored.items()}


def _thresholds(older: OlderTask) -> Thresholds | None:
    file = older.run.path / "thresholds.json"
    if not file.is_file():
        return None
    named = files.read_json(file)["thresholds"]
    return Thresholds({older.data.label_names.index(name): value for name, value in named.items()}, tuned=False)


def _tell_another_trunk(older: OlderTask, before: Figures) -> None:
    """The comparison says little where this run does not start from the older run's trunk."""
    ended = files.read_json(Path(older.run.path) / "metrics.json")
    for split, metrics in before.items():
        own = ended.get(split, {}).get("loss")
        if own is not None and abs(own - metrics["loss"]) > APART:
            logger.warning(
                "%s: before training its loss on %s is %.4f here and was %.4f in its own run, as this run does not "
                "start from its trunk; to do so: model=auto model.name_or_path=%s",
                older.run.title, split, metrics["loss"], own, older.run.model,
            )  # fmt: skip
            return
