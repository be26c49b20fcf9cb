"""Gathers what the report, the model card and the closing table show of a finished run. Writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tunebook.check import notices
from tunebook.config import identity
from tunebook.reporting.run_record import peak_memory_mb
from tunebook.reporting.summary import RetentionFigure, RunSummary, SavedAdapter
from tunebook.run_directory import RunDirectory
from tunebook.training.arguments import best_metric
from tunebook.training.build import freezing_table

if TYPE_CHECKING:
    from tunebook.context import RunContext
    from tunebook.finish import SplitResult


def summarize(
    context: RunContext,
    history: list[dict[str, Any]],
    results: dict[str, SplitResult],
    retained: list[RetentionFigure],
    seconds: float,
) -> RunSummary:
    """Everything that is shown. The run directory has recipe.yaml already; `seconds` include earlier tries."""
    config, directory, data, task = context.config, context.directory, context.data, context.task
    overlaps = [
        f"{count} rows of {later} are in {earlier} too, so the figures on {later} are too good"
        for (earlier, later), count in data.overlaps.items()
        if count
    ]
    source = config.model.name_or_path or f"a new {(config.model.config or {}).get('model_type')}"
    sizes = {name: parameter.numel() for name, parameter in context.model.named_parameters()}
    reported = next((name for name in ("test", "validation") if name in results), None)
    return RunSummary(
        **_run(config, directory),
        parameters=sum(sizes.values()),
        trainable=sum(size for name, size in sizes.items() if name in context.freezing.ever),
        command=context.session.command,
        task=config.task.name,
        pipeline=task.pipeline,
        auto_class=task.auto_class,
        target_type=task.target_type,
        model_name=source,
        dataset_description=data.source,
        licence=data.licence,
        label_names=list(data.targets.names),
        rows={split: len(part) for split, part in data.splits.items()},
        overlaps={" and ".join(pair): count for pair, count in data.overlaps.items() if count},
        freezing_lines=freezing_table(context),
        retention=retained,
        metrics={split: result.metrics for split, result in results.items()},
        untuned={split: one.before_decision for split, one in results.items() if one.before_decision is not None},
        thresholds=_thresholds(context, results),
        monitor=best_metric(config)[0],
        history=history,
        seconds=seconds,
        peak_memory_mb=peak_memory_mb(),
        seed=config.hyperparameters.seed,
        pairs="text_pair" in data.splits["train"].column_names,
        adapter=_adapter(context),
        own_code=next((path.name for path in directory.model.glob("*.py")), None),
        findings=[f"{one.words} ({f'{one.dropped:,} left out' if one.dropped else 'kept'})" for one in data.findings],
        audited=(directory.path / "audit.html").exists(),
        warnings=[*overlaps, *notices(config)],
        panels=task.panels(results[reported].evaluated()) if reported else [],
    )


def _run(config: Any, directory: RunDirectory) -> dict[str, Any]:
    return {
        "recipe_name": config.run.recipe,
        "run_name": identity.run_name(config),
        "run_dir": str(directory.path),
        "recipe_text": (directory.path / "recipe.yaml").read_text(encoding="utf-8"),
        "hardware": directory.record["hardware"],
        "versions": directory.record["versions"],
        "resumed_from": (directory.record.get("resumed_from") or [None])[-1],
    }


def _thresholds(context: RunContext, results: dict[str, SplitResult]) -> dict[str, float]:
    decision = next((result.decision for result in results.values()), None)
    if decision is None or "thresholds" not in context.task.capabilities:
        return {}
    return {context.data.targets.names[at]: value for at, value in decision.values.items()}


def _adapter(context: RunContext) -> SavedAdapter | None:
    adapted = context.adapted
    if adapted is None or adapted.saves == "merged":
        return None
    return SavedAdapter(
        base=adapted.base,
        revision=adapted.revision,
        auto_class=context.task.auto_class,
        alone=adapted.saves == "adapter",
        at_input=adapted.model is adapted.wrapped,
    )
