"""What a run leaves: evaluates every split, writes model, metrics, predictions, records and report, and tells."""

from __future__ import annotations

import logging
import math
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import datasets
import numpy as np
from transformers.trainer import TRAINING_ARGS_NAME

from tunebook import files
from tunebook.config import identity
from tunebook.config.schema import Config
from tunebook.errors import Problem, TrainingDiverged
from tunebook.evaluation import predictions
from tunebook.evaluation.scorer import Scorer
from tunebook.evaluation.thresholds import LEAST_ROWS, Thresholds
from tunebook.reporting import model_card, report, retention
from tunebook.reporting.summary import RetentionFigure
from tunebook.reporting.tables import closing_table
from tunebook.run_directory import RunDirectory, now
from tunebook.summing_up import summarize
from tunebook.training.build import best_metric

if TYPE_CHECKING:
    from tunebook.data.prepare import PreparedData
    from tunebook.training.build import Parts
    from tunebook.training.precision import Precision
    from tunebook.training.signals import Stopped
    from tunebook.training.trainer import RecipeTrainer

logger = logging.getLogger("tunebook")

EVALUATED = ("validation", "test")


@dataclass(frozen=True)
class Scored:
    """One evaluated split.

    Args:
        metrics: name -> value, the loss included; by the thresholds of the run.
        scores: (rows, k), as an answer's `row_scores`.
        labels: (rows,) or (rows, labels), as the answer's kind is.
        thresholds: of the run; None: 0.5, or the likeliest class.
        untuned: the metrics without thresholds; None where there are none.
    """

    metrics: dict[str, float]
    scores: np.ndarray
    labels: np.ndarray
    thresholds: Thresholds | None = None
    untuned: dict[str, float] | None = None


def evaluate(trainer: RecipeTrainer, splits: dict[str, datasets.Dataset]) -> dict[str, Scored]:
    """Score validation and test with the final weights, on every process together.

    Thresholds to be tuned are chosen on validation alone, then applied to both.

    Raises:
        TrainingDiverged: the weights give no finite loss.
    """
    scored = {name: score(trainer, name, splits[name]) for name in EVALUATED if name in splits}
    scorer = cast(Scorer, trainer.compute_metrics)
    chosen_on = scored.get("validation")
    thresholds = scorer.thresholds(*((chosen_on.scores, chosen_on.labels) if chosen_on else (None, None)))
    return {name: by_thresholds(scorer, result, thresholds) for name, result in scored.items()}


def by_thresholds(scorer: Scorer, result: Scored, thresholds: Thresholds | None) -> Scored:
    """The split as answered by thresholds, beside the figures without them."""
    if thresholds is None:
        return result
    metrics = scorer.figures(result.scores, result.labels, thresholds.values)
    return replace(result, metrics=metrics, thresholds=thresholds, untuned=result.metrics)


def score(trainer: RecipeTrainer, name: str, split: datasets.Dataset) -> Scored:
    """The figures of one split without thresholds, on every process together.

    Raises:
        TrainingDiverged: the weights give no finite loss.
    """
    found = trainer.predict(split, metric_key_prefix=name)
    beside = ("runtime", "samples_per_second", "steps_per_second", "model_preparation_time")
    metrics = {key.removeprefix(f"{name}_"): value for key, value in (found.metrics or {}).items()}
    kept = {key: float(value) for key, value in metrics.items() if key not in beside}
    if not math.isfinite(kept["loss"]):
        message = (
            f"the loss is {kept['loss']} after training. Lower hyperparameters.learning_rate (the base rate is "
            f"{trainer.args.learning_rate:g}), or use runtime.precision=float32"
        )
        raise TrainingDiverged(Problem(f"{name} split", message))
    return Scored(kept, np.asarray(found.predictions), np.asarray(found.label_ids))


def write(
    config: Config,
    command: str,
    directory: RunDirectory,
    data: PreparedData,
    parts: Parts,
    trainer: RecipeTrainer,
    scored: dict[str, Scored],
    chosen: Precision,
    seconds: float,
    kept: list[RetentionFigure],
) -> None:
    """Write everything into the run directory, mark the run finished, and tell.

    Args:
        config: of the run.
        command: that started it.
        directory: of the run.
        data: prepared rows.
        parts: task, model, processor and encoded splits.
        trainer: after training.
        scored: of `evaluate`.
        chosen: precision.
        seconds: that the run took, earlier tries included.
        kept: figures of previous tasks, before and after.
    """
    metrics = {split: result.metrics for split, result in scored.items()}
    untuned = {split: result.untuned for split, result in scored.items() if result.untuned is not None}
    beside: dict[str, Any] = {"without_thresholds": untuned} if untuned else {}
    beside |= {"retention": retention.plain(kept)} if kept else {}
    files.write_json(directory.path / "metrics.json", {**metrics, **beside, "best": _best(config, trainer)})
    files.write_text(
        directory.path / "recipe.yaml", identity.frozen_recipe(config, chosen.name, command, data.fingerprints)
    )
    for split, result in scored.items():
        predictions.write(
            directory.path / "predictions" / f"{split}.jsonl",
            data.splits[split]["row"],
            result.scores,
            result.labels,
            parts.task.answer,
            data.label_names,
            result.thresholds.values if result.thresholds else None,
        )
    _write_thresholds(directory, data.label_names, scored)
    told = trainer.freezing_lines
    summary = summarize(config, command, directory, data, parts, trainer.state.log_history, scored, seconds, told, kept)
    report.write_report(directory.path / "report.html", summary)
    model_card.write_card(directory.path / "README.md", summary)
    model_card.write_card(directory.model / "README.md", summary, model=".")
    directory.update(
        status="finished", finished=now(), seconds=round(seconds, 1), peak_memory_mb=summary.peak_memory_mb
    )
    logger.info("%s", closing_table(metrics, seconds, directory.path, untuned))
    if kept:
        logger.info("%s", retention.retention_table(kept))


def _write_thresholds(directory: RunDirectory, names: list[str], scored: dict[str, Scored]) -> None:
    """Beside the figures and beside the model, which knows nothing of them; and say which were not tuned."""
    thresholds = next((result.thresholds for result in scored.values()), None)
    for folder in (directory.path, directory.model):
        (folder / "thresholds.json").unlink(missing_ok=True)
        if thresholds is not None:
            files.write_json(folder / "thresholds.json", thresholds.plain(names))
    if thresholds is not None and thresholds.rare:
        few = ", ".join(f"{names[at]} ({count})" for at, count in thresholds.rare.items())
        logger.info("the threshold stays 0.5 for labels with fewer than %d validation rows: %s", LEAST_ROWS, few)


def save_model(trainer: RecipeTrainer, folder: Path, main: bool) -> None:
    """Write the model and its processor, whole or not at all; `pipeline(task, folder)` loads them.

    A model with an adapter is merged, and the adapter lies in the folder `adapter` beside it, as the recipe says.
    Every process calls this, as each may hold a part of the weights.
    """
    aside, adapter = folder.with_name(".model"), folder.with_name("adapter")
    if main:
        shutil.rmtree(aside, ignore_errors=True)
    trainer.accelerator.wait_for_everyone()
    trainer.save_model(str(aside))
    trainer.accelerator.wait_for_everyone()
    if main:
        # A pickle of the arguments, which recipe.yaml says in the open.
        (aside / TRAINING_ARGS_NAME).unlink(missing_ok=True)
        if trainer.adapted is not None:
            trainer.adapted.finish(aside, adapter)
        files.sync_folder(aside)
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)


def tell_start(directory: RunDirectory, trainer: RecipeTrainer, start: Path | None) -> None:
    """Say where training starts, and keep it in the record."""
    logger.info("run directory %s", directory.path)
    if start is None:
        logger.info("training from the start")
        return
    from tunebook.training import checkpoints

    facts = checkpoints.facts(start)
    directory.update(status="running", resumed_from=[*directory.record.get("resumed_from", []), facts["step"]])
    logger.info("resuming after step %d, from %s", facts["step"], start.name)
    if facts["processes"] != trainer.args.world_size:
        logger.warning(
            "the checkpoint was written by %d processes and is continued by %d: dropout draws other numbers, so "
            "the weights will be as good as, but not equal to, those of an uninterrupted run",
            facts["processes"],
            trainer.args.world_size,
        )


def tell_stopped(stopped: Stopped, directory: RunDirectory) -> None:
    """Say that a signal ended the run and how it goes on."""
    logger.info("stopped by a signal after step %d; everything is saved in %s", stopped.step, directory.checkpoints)
    overwrites = "run.overwrite=" in directory.record["command"]
    without = ", without run.overwrite=true, which would delete it," if overwrites else ""
    logger.info("the same command%s continues from there", without)


def tell_finished(config: Config, directory: RunDirectory, metrics: dict[str, Any]) -> None:
    """Show the result of a run that had been finished before."""
    record = directory.record
    shown = {split: values for split, values in metrics.items() if split in EVALUATED}
    logger.info("this run was finished on %s; nothing is done", record.get("finished"))
    untuned = metrics.get("without_thresholds", {})
    logger.info("%s", closing_table(shown, float(record.get("seconds", 0.0)), directory.path, untuned))
    if kept := retention.read(metrics):
        logger.info("%s", retention.retention_table(kept))
    before, now_said = (plain.get("runtime", {}) for plain in (record["configuration"], identity.content(config)))
    if changed := [key for key in {**before, **now_said} if before.get(key) != now_said.get(key)]:
        logger.info("runtime settings (%s) do not make another run", ", ".join(sorted(changed)))
    logger.info("to run it anew: run.overwrite=true (deletes this one), or another run.name")


def _best(config: Config, trainer: RecipeTrainer) -> dict[str, Any]:
    metric, higher = best_metric(config)
    # Without its checkpoint, deleted since, the best model was not loaded.
    chosen = bool(trainer.args.load_best_model_at_end and trainer.state.best_model_checkpoint)
    return {
        "metric": metric,
        "greater_is_better": higher,
        "value": trainer.state.best_metric,
        "step": trainer.state.best_global_step if chosen else trainer.state.global_step,
        "steps_trained": trainer.state.global_step,
    }
