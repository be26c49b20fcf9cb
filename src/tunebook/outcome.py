"""What a run leaves: evaluates every split, writes model, metrics, predictions, records and report, and tells."""

from __future__ import annotations

import logging
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import numpy as np
from transformers.trainer import TRAINING_ARGS_NAME

from tunebook import files
from tunebook.answers.one_label import OneLabel
from tunebook.config import identity
from tunebook.config.schema import Config
from tunebook.errors import Problem, TrainingDiverged
from tunebook.evaluation import predictions
from tunebook.reporting import model_card, report
from tunebook.reporting.run_record import peak_memory_mb
from tunebook.reporting.summary import Mistake, RunSummary
from tunebook.reporting.tables import closing_table
from tunebook.run_directory import RunDirectory, now
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
        metrics: name -> value, the loss included.
        scores: (rows, k), as an answer's `row_scores`.
        labels: (rows,) or (rows, labels), as the answer's kind is.
    """

    metrics: dict[str, float]
    scores: np.ndarray
    labels: np.ndarray


def evaluate(trainer: RecipeTrainer, splits: dict[str, datasets.Dataset]) -> dict[str, Scored]:
    """Score validation and test with the final weights, on every process together.

    Raises:
        TrainingDiverged: the weights give no finite loss.
    """
    scored = {}
    for name in EVALUATED:
        if name not in splits:
            continue
        found = trainer.predict(splits[name], metric_key_prefix=name)
        beside = ("runtime", "samples_per_second", "steps_per_second", "model_preparation_time")
        metrics = {key.removeprefix(f"{name}_"): value for key, value in (found.metrics or {}).items()}
        kept = {key: float(value) for key, value in metrics.items() if key not in beside}
        if not math.isfinite(kept["loss"]):
            message = (
                f"the loss is {kept['loss']} after training. Lower hyperparameters.learning_rate (the base rate is "
                f"{trainer.args.learning_rate:g}), or use runtime.precision=float32"
            )
            raise TrainingDiverged(Problem(f"{name} split", message))
        scored[name] = Scored(kept, np.asarray(found.predictions), np.asarray(found.label_ids))
    return scored


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
    """
    metrics = {split: result.metrics for split, result in scored.items()}
    files.write_json(directory.path / "metrics.json", {**metrics, "best": _best(config, trainer)})
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
        )
    summary = _summary(config, command, directory, data, parts, trainer, scored, seconds)
    report.write_report(directory.path / "report.html", summary)
    model_card.write_card(directory.path / "README.md", summary)
    model_card.write_card(directory.model / "README.md", summary, model=".")
    directory.update(
        status="finished", finished=now(), seconds=round(seconds, 1), peak_memory_mb=summary.peak_memory_mb
    )
    logger.info("%s", closing_table(metrics, seconds, directory.path))


def save_model(trainer: RecipeTrainer, folder: Path, main: bool) -> None:
    """Write the model and its processor, whole or not at all; `pipeline(task, folder)` loads them.

    Every process calls this, as each may hold a part of the weights.
    """
    aside = folder.with_name(".model")
    if main:
        shutil.rmtree(aside, ignore_errors=True)
    trainer.accelerator.wait_for_everyone()
    trainer.save_model(str(aside))
    trainer.accelerator.wait_for_everyone()
    if main:
        # A pickle of the arguments, which recipe.yaml says in the open.
        (aside / TRAINING_ARGS_NAME).unlink(missing_ok=True)
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
    logger.info("%s", closing_table(shown, float(record.get("seconds", 0.0)), directory.path))
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


def _summary(
    config: Config,
    command: str,
    directory: RunDirectory,
    data: PreparedData,
    parts: Parts,
    trainer: RecipeTrainer,
    scored: dict[str, Scored],
    seconds: float,
) -> RunSummary:
    judged = next((split for split in reversed(EVALUATED) if split in scored), None)
    one_label = parts.task.answer.kind == "class"
    parameters = list(parts.model.parameters())
    resumed = directory.record.get("resumed_from") or [None]
    return RunSummary(
        recipe_name=config.run.recipe,
        run_name=identity.run_name(config),
        run_dir=str(directory.path),
        command=command,
        recipe_text=(directory.path / "recipe.yaml").read_text(encoding="utf-8"),
        task=config.task.name,
        model_name=config.model.name_or_path or f"a new {(config.model.config or {}).get('model_type')}",
        dataset_description=data.source,
        licence=data.licence,
        label_names=data.label_names,
        rows={split: len(rows) for split, rows in data.splits.items()},
        overlaps={" and ".join(pair): count for pair, count in data.overlaps.items() if count},
        freezing_lines=parts.freezing.lines(),
        parameters=sum(parameter.numel() for parameter in parameters),
        trainable=sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        metrics={split: result.metrics for split, result in scored.items()},
        monitor=best_metric(config)[0],
        history=trainer.state.log_history,
        confusion=(scored[judged].labels, OneLabel().answered(scored[judged].scores)) if judged and one_label else None,
        mistakes=_mistakes(data, scored, judged) if judged and one_label else [],
        seconds=seconds,
        peak_memory_mb=peak_memory_mb(),
        hardware=directory.record["hardware"],
        versions=directory.record["versions"],
        seed=config.hyperparameters.seed,
        resumed_from=resumed[-1],
        pairs="text_pair" in data.splits["train"].column_names,
        warnings=_warnings(data),
    )


def _warnings(data: PreparedData) -> list[str]:
    return [
        f"{count} rows of {later} stand in {earlier} too, so the figures on {later} are too good"
        for (earlier, later), count in data.overlaps.items()
        if count
    ]


def _mistakes(data: PreparedData, scored: dict[str, Scored], split: str) -> list[Mistake]:
    """The rows of a split that the model is surest of and wrong."""
    result, rows = scored[split], data.splits[split]
    predicted = OneLabel().answered(result.scores)
    wrong = np.flatnonzero(predicted != result.labels)
    surest = wrong[np.argsort(-result.scores[wrong, 1], kind="stable")][: report.MOST_MISTAKES]
    found = []
    for at in surest.tolist():
        row = rows[at]
        texts = [row[role] for role in ("text", "text_pair") if row.get(role) is not None]
        found.append(
            Mistake(
                row=row["row"],
                text="\n— ".join(texts) if texts else None,
                image=row.get("image"),
                label=data.label_names[int(result.labels[at])],
                predicted=data.label_names[int(predicted[at])],
                probability=float(result.scores[at, 1]),
            )
        )
    return found
