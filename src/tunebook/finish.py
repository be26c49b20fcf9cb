"""What a run leaves: evaluates every split, writes model, metrics, predictions, records and report, and reports."""

from __future__ import annotations

import logging
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from transformers.trainer import TRAINING_ARGS_NAME

from tunebook import files
from tunebook.config import identity
from tunebook.config.schema import Config
from tunebook.data.audit.audit import write_json
from tunebook.data.cleaning.findings import write_dropped
from tunebook.data.label_noise import policy
from tunebook.errors import Problem, TrainingDiverged
from tunebook.evaluation import predictions
from tunebook.evaluation.thresholds import LEAST_ROWS
from tunebook.reporting import model_card, report
from tunebook.reporting import retention as retention_table
from tunebook.reporting.audit_page import JSON, write_page
from tunebook.reporting.summary import RetentionFigure
from tunebook.reporting.tables import closing_table
from tunebook.run_directory import RunDirectory, now
from tunebook.run_summary import summarize
from tunebook.session import Session
from tunebook.setup import EVALUATED
from tunebook.tasks.base import Evaluated
from tunebook.training import checkpoints
from tunebook.training.arguments import best_metric
from tunebook.training.build import eval_split, freezing_table
from tunebook.training.evaluation_loop import EvalSplit, Gathered

if TYPE_CHECKING:
    from tunebook.context import RunContext
    from tunebook.data.audit.audit import Audit
    from tunebook.training.backbone_cache import BackboneCache
    from tunebook.training.processes import Processes
    from tunebook.training.signals import Stopped
    from tunebook.training.trainer import RecipeTrainer

logger = logging.getLogger("tunebook")

DROPPED = "dropped.jsonl"
"""Of a run's folder: rows that were left out."""
NO_FIGURES = ("runtime", "samples_per_second", "steps_per_second", "model_preparation_time")


@dataclass(frozen=True)
class SplitResult:
    """One evaluated split.

    Args:
        metrics: name -> value, the loss included; by the decision of the run.
        gathered: predictions and references; of the main process.
        decision: chosen on validation (thresholds and the like); None: the task's usual way.
        before_decision: the metrics without it; None where there is none.
    """

    metrics: dict[str, float]
    gathered: Gathered
    decision: Any = None
    before_decision: dict[str, float] | None = None

    def evaluated(self) -> Evaluated:
        """Everything about the split, by the decision; of the main process."""
        return self.gathered.evaluated(self.decision)


def evaluate(context: RunContext, trainer: RecipeTrainer, cache: BackboneCache | None) -> dict[str, SplitResult]:
    """Score validation and test with the final weights, on every process together.

    What the task chooses (thresholds) is chosen on validation alone, then applied to both.

    Raises:
        TrainingDiverged: the weights give no finite loss.
    """
    results = {
        name: score(trainer, name, eval_split(context, name, cache))
        for name in EVALUATED
        if name in context.eval_splits
    }
    chosen_on = results.get("validation")
    decision = None
    if context.main:
        evaluator = chosen_on.gathered.evaluator if chosen_on else None
        if "thresholds" in context.task.capabilities:
            decision = cast(Any, context.task).choose(evaluator, context.data.targets)
    return {name: by_decision(result, decision, context.processes) for name, result in results.items()}


def by_decision(result: SplitResult, decision: Any, processes: Processes) -> SplitResult:
    """A split's figures by a decision, and those without it; the main process computes for all."""
    metrics = None
    evaluator = result.gathered.evaluator
    if evaluator is not None and decision is not None:
        metrics = {**evaluator.compute(decision), "loss": result.metrics["loss"]}
    metrics = processes.from_main(metrics)
    if metrics is None:
        return result
    return SplitResult(metrics, result.gathered, decision, result.metrics)


def score(trainer: RecipeTrainer, name: str, split: EvalSplit) -> SplitResult:
    """The figures of one split without any decision, on every process together.

    Raises:
        TrainingDiverged: the weights give no finite loss.
    """
    output: Any = trainer.predict(split, metric_key_prefix=name)
    named = {key.removeprefix(f"{name}_"): value for key, value in (output.metrics or {}).items()}
    metrics = {key: float(value) for key, value in named.items() if key not in NO_FIGURES}
    if not math.isfinite(metrics["loss"]):
        message = (
            f"the loss is {metrics['loss']} after training. Lower hyperparameters.learning_rate (the base rate is "
            f"{trainer.args.learning_rate:g}), or use runtime.precision=float32"
        )
        raise TrainingDiverged(Problem(f"{name} split", message))
    return SplitResult(metrics, output.predictions)


# ---- writing ----


def write_findings(context: RunContext, audit: Audit | None) -> None:
    """Write what is known of the data: audit, suspected labels, rows that were left out; the main process alone."""
    if not context.main:
        return
    folder = context.directory.path
    if audit is not None:
        write_json(folder / JSON, audit)
    policy.write(folder, context.label_noise)
    if context.data.dropped:
        write_dropped(folder / DROPPED, context.data.dropped)


def draw_audit(context: RunContext, audit: Audit | None) -> None:
    """Draw the page of the audit; after training, as drawing takes as long as some first steps."""
    if context.main and audit is not None:
        write_page(context.directory.path, audit, context.config.run.recipe)


def write(
    context: RunContext,
    trainer: RecipeTrainer,
    results: dict[str, SplitResult],
    retained: list[RetentionFigure],
) -> None:
    """Write everything into the run directory, mark the run finished, and report."""
    seconds = context.session.seconds
    config, directory = context.config, context.directory
    metrics = {split: result.metrics for split, result in results.items()}
    before = {split: result.before_decision for split, result in results.items() if result.before_decision is not None}
    more: dict[str, Any] = {"without_thresholds": before} if before else {}
    more |= {"retention": retention_table.plain(retained)} if retained else {}
    files.write_json(directory.path / "metrics.json", {**metrics, **more, "best": _best(config, trainer)})
    recipe = identity.frozen_recipe(config, context.precision.name, context.session.command, context.data.fingerprints)
    files.write_text(directory.path / "recipe.yaml", recipe)
    for split, result in results.items():
        predictions.write(directory.path / "predictions" / f"{split}.jsonl", context.task, result.evaluated())
    _write_thresholds(context, results)
    summary = summarize(context, trainer.state.log_history, results, retained, seconds)
    report.write_report(directory.path / "report.html", summary)
    model_card.write_card(directory.path / "README.md", summary)
    model_card.write_card(directory.model / "README.md", summary, model=".")
    peak = summary.peak_memory_mb
    directory.update(status="finished", finished=now(), seconds=round(seconds, 1), peak_memory_mb=peak)
    logger.info("%s", closing_table(metrics, seconds, directory.path, before))
    if retained:
        logger.info("%s", retention_table.retention_table(retained))


def _write_thresholds(context: RunContext, results: dict[str, SplitResult]) -> None:
    """With the figures and with the model, which knows nothing of them; and report which were not tuned."""
    directory, names = context.directory, list(context.data.targets.names)
    chosen = next((result.decision for result in results.values()), None)
    thresholds = chosen if "thresholds" in context.task.capabilities else None
    for folder in (directory.path, directory.model):
        (folder / "thresholds.json").unlink(missing_ok=True)
        if thresholds is not None:
            files.write_json(folder / "thresholds.json", thresholds.plain(names))
    if thresholds is not None and thresholds.rare:
        few = ", ".join(f"{names[at]} ({count})" for at, count in thresholds.rare.items())
        logger.info("the threshold stays 0.5 for labels with fewer than %d validation rows: %s", LEAST_ROWS, few)


def save_model(context: RunContext, trainer: RecipeTrainer) -> None:
    """Write the model and its processor, whole or not at all; `pipeline(task, folder)` loads them.

    A model with an adapter is merged, and the adapter goes into the folder `adapter` next to it, as the recipe says.
    Every process calls this, as each may hold a part of the weights.
    """
    folder, main = context.directory.model, context.main
    aside, adapter = folder.with_name(".model"), folder.with_name("adapter")
    if main:
        shutil.rmtree(aside, ignore_errors=True)
    trainer.accelerator.wait_for_everyone()
    trainer.save_model(str(aside))
    trainer.accelerator.wait_for_everyone()
    if main:
        # A pickle of the arguments, which recipe.yaml has as plain text.
        (aside / TRAINING_ARGS_NAME).unlink(missing_ok=True)
        if trainer.adapted is not None:
            trainer.adapted.finish(aside, adapter)
        files.sync_folder(aside)
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)


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


# ---- reporting to the terminal ----


def report_start(context: RunContext) -> None:
    """Log how the effective batch is divided and what trains."""
    logger.info("%s", context.layout)
    logger.info("%s", "\n".join(freezing_table(context)))


def report_checkpoint(directory: RunDirectory, trainer: RecipeTrainer, checkpoint: Path | None) -> None:
    """Log where training starts, and note it in the record."""
    logger.info("run directory %s", directory.path)
    if checkpoint is None:
        logger.info("training from the start")
        return
    facts = checkpoints.facts(checkpoint)
    directory.update(status="running", resumed_from=[*directory.record.get("resumed_from", []), facts["step"]])
    logger.info("resuming after step %d, from %s", facts["step"], checkpoint.name)
    if facts["processes"] != trainer.args.world_size:
        logger.warning(
            "the checkpoint was written by %d processes and is continued by %d: dropout uses other random numbers, so "
            "the weights will be as good as, but not equal to, those of an uninterrupted run",
            facts["processes"],
            trainer.args.world_size,
        )


def report_stopped(stopped: Stopped, directory: RunDirectory) -> None:
    """Log that a signal ended the run and how to continue it."""
    logger.info("stopped by a signal after step %d; everything is saved in %s", stopped.step, directory.checkpoints)
    overwrites = "run.overwrite=" in directory.record["command"]
    without = ", without run.overwrite=true, which would delete it," if overwrites else ""
    logger.info("the same command%s continues from there", without)


def report_finished(session: Session) -> dict[str, dict[str, float]]:
    """Show the result of a run that had been finished before; its metrics by split."""
    config, directory, processes = session.config, session.directory, session.processes
    metrics = files.read_json(directory.path / "metrics.json")
    shown = {split: values for split, values in metrics.items() if split in EVALUATED}
    if not processes.main:
        return shown
    record = directory.record
    logger.info("this run was finished on %s; nothing is done", record.get("finished"))
    before = metrics.get("without_thresholds", {})
    logger.info("%s", closing_table(shown, float(record.get("seconds", 0.0)), directory.path, before))
    if retained := retention_table.read(metrics):
        logger.info("%s", retention_table.retention_table(retained))
    then, now_wanted = (plain.get("runtime", {}) for plain in (record["configuration"], identity.content(config)))
    if changed := [key for key in {**then, **now_wanted} if then.get(key) != now_wanted.get(key)]:
        logger.info("runtime settings (%s) do not make another run", ", ".join(sorted(changed)))
    logger.info("to run it again: run.overwrite=true (deletes this one), or another run.name")
    return shown
